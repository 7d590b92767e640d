#include "schema/db/tables/filters.hpp"

#include <charconv>
#include <cstring>

#include "homeserver/accounts/account_service_impl.hpp"

namespace causeway {

namespace {

// The same filter has the same number, so that clients that upload theirs at every start don't fill the table.
std::int64_t filter_number(const std::string& filter_json) {
  const crypto::Sha256 hash = crypto::sha256(filter_json);
  std::uint64_t first = 0;
  std::memcpy(&first, hash.data(), sizeof first);
  return static_cast<std::int64_t>(first >> 1);
}

}  // namespace

Task<Result<std::string>> AccountService::add_filter(UserNid user, std::string filter_json) {
  if (filter_json.size() > impl_->settings.max_filter_bytes)
    co_return make_error(ErrorCode::too_large,
                         "A filter has at most " + std::to_string(impl_->settings.max_filter_bytes) + " bytes.");
  const std::int64_t number = filter_number(filter_json);
  auto insert = [user, number, text = std::move(filter_json)](db::Connection& c) {
    db::insert_filter(c, user, number, text);
  };
  co_await impl_->database.run(std::move(insert));
  co_return std::to_string(number);
}

Task<std::optional<std::string>> AccountService::filter(UserNid user, std::string filter_id) {
  std::int64_t number = 0;
  const char* const end = filter_id.data() + filter_id.size();
  const auto parsed = std::from_chars(filter_id.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) co_return std::nullopt;
  auto find = [user, number](db::Connection& c) { return db::find_filter(c, user, number); };
  co_return co_await impl_->database.run(std::move(find));
}

}  // namespace causeway
