// Users who want no invites. spec: client-server-api#invite-permission
#include "homeserver/rooms/room_service_impl.hpp"
#include "schema/db/tables/account_data.hpp"
#include "schema/matrix/account_data.hpp"

namespace causeway {

Task<Result<>> RoomService::Impl::check_may_be_invited(UserId user) {
  if (!is_local(user)) co_return Result<>();
  const UserNid nid = co_await services.interner.user(user);
  auto find = [nid](db::Connection& connection) {
    return db::find_account_data(connection, nid, RoomNid{}, std::string(invite_permission_config_type));
  };
  const auto config = co_await services.database.run(std::move(find));
  if (config && blocks_invites(*config))
    co_return make_error(ErrorCode::invite_blocked, "That user accepts no invites.");
  co_return Result<>();
}

}  // namespace causeway
