#include "client-api/endpoint_tables.hpp"
#include "client-api/room_requests.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

Result<std::vector<UserId>> read_invite(const boost::json::object& body) {
  std::vector<UserId> invited;
  const auto list = json::optional_array(body, "invite");
  if (!list) return list.error();
  if (!*list) return invited;
  for (const auto& element : **list) {
    if (!element.is_string()) return make_error(ErrorCode::bad_json, "'invite' must hold user IDs.");
    auto user = UserId::parse(std::string_view(element.get_string()));
    if (!user) return make_error(ErrorCode::invalid_param, "'invite' must hold user IDs.");
    invited.push_back(std::move(*user));
  }
  return invited;
}

// Copies optional members of several types into the request, up to the first that has the wrong type.
class OptionalMembers {
 public:
  explicit OptionalMembers(const boost::json::object& body) : body_(body) {}

  void read(std::string_view key, std::optional<std::string>& into) {
    if (auto member = json::optional_string(body_, key); check(member)) into = std::move(*member);
  }
  void read(std::string_view key, std::string& into) {
    if (auto member = json::optional_string(body_, key); check(member) && *member) into = std::move(**member);
  }
  void read(std::string_view key, bool& into) {
    if (auto member = json::optional_bool(body_, key); check(member)) into = member->value_or(into);
  }
  void read(std::string_view key, boost::json::object& into) {
    if (auto member = json::optional_object(body_, key); check(member) && *member) into = **member;
  }
  void read(std::string_view key, boost::json::array& into) {
    if (auto member = json::optional_array(body_, key); check(member) && *member) into = **member;
  }
  const Result<>& result() const { return result_; }

 private:
  template <class T>
  bool check(const Result<T>& member) {
    if (!member && result_) result_ = member.error();
    return member.has_value();
  }

  const boost::json::object& body_;
  Result<> result_;
};

Result<CreateRoom> read_create_room(const boost::json::object& body, const Requester& requester,
                                    const Settings& settings) {
  CreateRoom room;
  room.version = settings.default_room_version;
  room.creator = Sender::of(requester);
  auto published = read_published(body, false);
  if (!published) return published.error();
  room.published = *published;
  auto invite = read_invite(body);
  if (!invite) return invite.error();
  room.invite = std::move(*invite);
  OptionalMembers members(body);
  members.read("room_version", room.version);
  members.read("preset", room.preset);
  members.read("name", room.name);
  members.read("topic", room.topic);
  members.read("room_alias_name", room.alias_localpart);
  members.read("creation_content", room.creation_content);
  members.read("power_level_content_override", room.power_level_override);
  members.read("initial_state", room.initial_state);
  members.read("is_direct", room.is_direct);
  boost::json::array third_party_invites;
  members.read("invite_3pid", third_party_invites);
  if (members.result().has_error()) return members.result().error();
  if (!third_party_invites.empty())
    return make_error(ErrorCode::forbidden, "This server does not invite by third-party identifiers.");
  return room;
}

// spec: client-server-api#post_matrixclientv3createroom
Task<Result<Response>> create_room(ClientApi& api, Request& request) {
  const auto body = request.json_object();
  if (!body) co_return body.error();
  auto room = read_create_room(*body, *request.requester, api.settings);
  if (!room) co_return room.error();
  if (room->published && !may_publish(api, request)) co_return may_not_publish();
  const auto created = co_await api.rooms.create_room(std::move(*room));
  if (!created) co_return created.error();
  co_return Response::json({{"room_id", created->str()}});
}

constexpr Endpoint endpoints[] = {
    {Verb::post, "/_matrix/client/v3/createRoom", "createRoom", Auth::access_token, RateClass::write, 1024 * kib,
     create_room, remote_work},
};

}  // namespace

EndpointTable create_room_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
