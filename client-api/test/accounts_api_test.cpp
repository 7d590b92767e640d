#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "client-api/test/support/api_kit.hpp"
#include "schema/db/tables/registration_tokens.hpp"

namespace causeway {
namespace {

using http::Verb;
using ::testing::HasSubstr;

const std::string v3 = "/_matrix/client/v3";

class AccountsApiTest : public ::testing::Test, protected test::ApiKit {
 protected:
  std::string token_of(const std::string& localpart) { return log_in(register_user(localpart)).access_token; }
};

// --- what the server is

TEST_F(AccountsApiTest, versions_name_old_and_new_ones) {
  const std::string versions = get("/_matrix/client/versions")["versions"];
  for (const char* version : {"\"r0.0.1\"", "\"r0.6.1\"", "\"v1.1\"", "\"v1.2\""})
    EXPECT_THAT(versions, HasSubstr(version));
}

TEST_F(AccountsApiTest, discovery_is_there_when_configured) {
  EXPECT_EQ(get("/.well-known/matrix/client").errcode(), "M_NOT_FOUND");
  EXPECT_EQ(get("/.well-known/matrix/server").status, 404u);
  api.settings.public_baseurl = "https://matrix.example.org";
  api.settings.federation_address = "matrix.example.org:443";
  EXPECT_EQ(get("/.well-known/matrix/client")["m.homeserver"], R"({"base_url":"https://matrix.example.org"})");
  EXPECT_EQ(get("/.well-known/matrix/server").text("m.server"), "matrix.example.org:443");
}

TEST_F(AccountsApiTest, capabilities_promise_only_what_is_true) {
  const std::string token = token_of("anna");
  const auto reply = get(v3 + "/capabilities", token);
  const auto& capabilities = reply.json.at("capabilities").as_object();
  EXPECT_EQ(boost::json::serialize(capabilities.at("m.room_versions")),
            R"({"default":"12","available":{"1":"stable","2":"stable","3":"stable","4":"stable","5":"stable",)"
            R"("6":"stable","7":"stable","8":"stable","9":"stable","10":"stable","11":"stable","12":"stable"}})");
  EXPECT_FALSE(capabilities.at("m.change_password").at("enabled").as_bool());
  EXPECT_EQ(boost::json::serialize(capabilities.at("m.profile_fields")),
            R"({"enabled":true,"allowed":["displayname","avatar_url"]})");
  EXPECT_EQ(get(v3 + "/capabilities").errcode(), "M_MISSING_TOKEN");
}

// --- registration

TEST_F(AccountsApiTest, registering_takes_a_session_even_for_the_dummy_stage) {
  const auto first = post(v3 + "/register", R"({"username":"anna","password":"correct horse","device_id":"PHONE"})");
  EXPECT_EQ(first.status, 401u);
  EXPECT_EQ(first["flows"], R"([{"stages":["m.login.dummy"]}])");
  EXPECT_EQ(first.errcode(), "");
  // The parameters of the first call are remembered.
  const std::string auth = R"({"auth":{"type":"m.login.dummy","session":")" + first.text("session") + "\"}}";
  const auto second = post(v3 + "/register", auth);
  EXPECT_EQ(second.status, 200u);
  EXPECT_EQ(second.text("user_id"), "@anna:example.org");
  EXPECT_EQ(second.text("device_id"), "PHONE");
  EXPECT_EQ(get(v3 + "/account/whoami", second.text("access_token")).text("user_id"), "@anna:example.org");
  EXPECT_EQ(post(v3 + "/login", R"({"type":"m.login.password","user":"anna","password":"correct horse"})").status,
            200u);
  EXPECT_EQ(post(v3 + "/register", auth).status, 401u);
}

TEST_F(AccountsApiTest, names_and_passwords_are_judged_before_authentication) {
  register_user("taken");
  const auto refused = [&](const std::string& body) { return post(v3 + "/register", body).errcode(); };
  EXPECT_EQ(refused(R"({"username":"taken"})"), "M_USER_IN_USE");
  EXPECT_EQ(refused(R"({"username":"no way"})"), "M_INVALID_USERNAME");
  EXPECT_EQ(refused(R"({"username":1})"), "M_BAD_JSON");
  EXPECT_EQ(refused(R"({"username":"anna","password":"short"})"), "M_WEAK_PASSWORD");
  EXPECT_EQ(refused("nonsense"), "M_NOT_JSON");
  EXPECT_EQ(post(v3 + "/register?kind=guest", "{}").errcode(), "M_GUEST_ACCESS_FORBIDDEN");
  EXPECT_EQ(post(v3 + "/register?kind=king", "{}").errcode(), "M_INVALID_PARAM");
}

TEST_F(AccountsApiTest, registration_without_a_password_is_refused_but_may_be_tried_again) {
  const std::string session = post(v3 + "/register", "{}").text("session");
  const std::string auth = R"("auth":{"type":"m.login.dummy","session":")" + session + "\"}";
  EXPECT_EQ(post(v3 + "/register", "{" + auth + "}").errcode(), "M_MISSING_PARAM");
  const auto reply = post(v3 + "/register", "{" + auth + R"(,"password":"correct horse","inhibit_login":true})");
  EXPECT_EQ(reply.status, 200u);
  EXPECT_EQ(reply.json.if_contains("access_token"), nullptr);
}

TEST_F(AccountsApiTest, availability_says_whether_a_name_can_be_had) {
  register_user("taken");
  EXPECT_EQ(get(v3 + "/register/available?username=free")["available"], "true");
  EXPECT_EQ(get(v3 + "/register/available?username=taken").errcode(), "M_USER_IN_USE");
  EXPECT_EQ(get(v3 + "/register/available?username=a%20b").errcode(), "M_INVALID_USERNAME");
  EXPECT_EQ(get(v3 + "/register/available").errcode(), "M_MISSING_PARAM");
}

AccountSettings by_token() {
  AccountSettings settings = test::AccountsKit::usual_settings();
  settings.open_registration = false;
  return settings;
}
class TokenRegistrationTest : public ::testing::Test, protected test::ApiKit {
 protected:
  TokenRegistrationTest() : ApiKit(by_token()) {
    database.run_blocking([](db::Connection& c) { db::insert_registration_token(c, "once", 1, std::nullopt); });
  }
  test::Reply register_with(const std::string& username, const std::string& token) {
    const std::string session = post(v3 + "/register", "{}").text("session");
    return post(v3 + "/register", R"({"username":")" + username + R"(","password":"correct horse","auth":)" +
                                      R"({"type":"m.login.registration_token","token":")" + token + R"(","session":")" +
                                      session + "\"}}");
  }
};

TEST_F(TokenRegistrationTest, a_token_admits_as_many_as_it_may) {
  const std::string validity = "/_matrix/client/v1/register/m.login.registration_token/validity";
  const auto wrong = register_with("anna", "wrong");
  EXPECT_EQ(wrong.status, 401u);
  EXPECT_EQ(wrong.errcode(), "M_UNAUTHORIZED");
  EXPECT_EQ(wrong["flows"], R"([{"stages":["m.login.registration_token"]}])");
  EXPECT_EQ(get(validity + "?token=once")["valid"], "true");
  EXPECT_EQ(register_with("anna", "once").status, 200u);
  EXPECT_EQ(get(validity + "?token=once")["valid"], "false");
  EXPECT_EQ(register_with("berta", "once").status, 401u);
}

AccountSettings closed() {
  AccountSettings settings = by_token();
  settings.token_registration = false;
  return settings;
}
class ClosedRegistrationTest : public ::testing::Test, protected test::ApiKit {
 protected:
  ClosedRegistrationTest() : ApiKit(closed()) {}
};

TEST_F(ClosedRegistrationTest, nobody_may_register) {
  EXPECT_EQ(post(v3 + "/register", "{}").errcode(), "M_FORBIDDEN");
  EXPECT_EQ(get(v3 + "/register/available?username=free").errcode(), "M_FORBIDDEN");
  EXPECT_EQ(get("/_matrix/client/v1/register/m.login.registration_token/validity?token=x").errcode(), "M_FORBIDDEN");
  EXPECT_EQ(get("/_synapse/admin/v1/register").errcode(), "M_UNRECOGNIZED");
  EXPECT_EQ(post("/_synapse/admin/v1/register", "{}").status, 404u);
}

// --- login

TEST_F(AccountsApiTest, login_takes_every_spelling_of_a_user) {
  register_user("anna");
  EXPECT_EQ(get(v3 + "/login")["flows"], R"([{"type":"m.login.password"}])");
  for (const char* who : {R"("identifier":{"type":"m.id.user","user":"anna"})",
                          R"("identifier":{"type":"m.id.user","user":"@anna:example.org"})", R"("user":"anna")"}) {
    const auto reply = post(v3 + "/login", std::string(R"({"type":"m.login.password","password":"correct horse",)") +
                                               who + R"(,"device_id":"PHONE"})");
    EXPECT_EQ(reply.status, 200u) << who;
    EXPECT_EQ(reply.text("user_id"), "@anna:example.org");
    EXPECT_EQ(reply.text("device_id"), "PHONE");
  }
}

TEST_F(AccountsApiTest, failed_logins_get_the_specs_errors) {
  register_user("anna");
  const auto error = [&](const std::string& body) {
    const auto reply = post(v3 + "/login", body);
    return std::to_string(reply.status) + " " + reply.errcode();
  };
  EXPECT_EQ(error("["), "400 M_NOT_JSON");
  EXPECT_EQ(error("[]"), "400 M_BAD_JSON");
  EXPECT_EQ(error("{}"), "400 M_MISSING_PARAM");
  EXPECT_EQ(error(R"({"type":"m.login.nonsense"})"), "400 M_UNKNOWN");
  EXPECT_EQ(error(R"({"type":"m.login.password","password":"x"})"), "400 M_MISSING_PARAM");
  EXPECT_EQ(error(R"({"type":"m.login.password","user":"anna"})"), "400 M_MISSING_PARAM");
  EXPECT_EQ(error(R"({"type":"m.login.password","user":"anna","password":"wrong"})"), "403 M_FORBIDDEN");
  EXPECT_EQ(error(R"({"type":"m.login.password","user":"nobody","password":"wrong"})"), "403 M_FORBIDDEN");
  EXPECT_EQ(error(R"({"type":"m.login.password","medium":"email","address":"a@b.c","password":"x"})"),
            "403 M_FORBIDDEN");
  EXPECT_EQ(error(R"({"type":"m.login.password","identifier":{"type":"m.id.x","user":"anna"},"password":"x"})"),
            "400 M_UNKNOWN");
}

TEST_F(AccountsApiTest, logging_out_ends_the_token) {
  const std::string token = token_of("anna");
  EXPECT_EQ(get(v3 + "/account/whoami", token)["is_guest"], "false");
  EXPECT_EQ(post(v3 + "/logout", "{}", token).status, 200u);
  EXPECT_EQ(get(v3 + "/account/whoami", token).errcode(), "M_UNKNOWN_TOKEN");
  const std::string berta = token_of("berta");
  EXPECT_EQ(post(v3 + "/logout/all", "", berta).status, 200u);
  EXPECT_EQ(get(v3 + "/account/whoami", berta).status, 401u);
}

TEST_F(AccountsApiTest, r0_is_served_like_v3) {
  EXPECT_EQ(get("/_matrix/client/r0/login").status, 200u);
  EXPECT_EQ(get("/_matrix/client/r0/account/whoami", token_of("anna")).status, 200u);
}

// --- registration with the shared secret

AccountSettings with_shared_secret() {
  AccountSettings settings = closed();
  settings.registration_shared_secret = "shared_secret";
  return settings;
}
class SharedSecretApiTest : public ::testing::Test, protected test::ApiKit {
 protected:
  SharedSecretApiTest() : ApiKit(with_shared_secret()) {}

  // As the tools compute it: the fields, separated by NUL.
  static std::string mac_of(std::initializer_list<std::string> fields) {
    std::string text;
    for (const std::string& field : fields)
      text += (text.empty() ? "" : std::string(1, '\0')) + field;
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    HMAC(EVP_sha1(), "shared_secret", 13, reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac,
         &length);
    std::string hex;
    for (unsigned int i = 0; i < length; ++i) {
      char two[3];
      std::snprintf(two, sizeof two, "%02x", mac[i]);
      hex += two;
    }
    return hex;
  }
};

TEST_F(SharedSecretApiTest, a_mac_over_the_nonce_makes_an_account) {
  const std::string nonce = get("/_synapse/admin/v1/register").text("nonce");
  const std::string fields = R"({"nonce":")" + nonce + R"(","username":"anna","password":"pw","admin":true,)" +
                             R"("displayname":"Anna A","mac":")";
  const std::string mac = mac_of({nonce, "anna", "pw", "admin"});
  const auto reply = post("/_synapse/admin/v1/register", fields + mac + "\"}");
  ASSERT_EQ(reply.status, 200u);
  EXPECT_EQ(reply.text("user_id"), "@anna:example.org");
  EXPECT_TRUE(authenticate(reply.text("access_token"))->is_admin);
  EXPECT_EQ(get(v3 + "/profile/@anna:example.org").text("displayname"), "Anna A");
  EXPECT_EQ(post("/_synapse/admin/v1/register", fields + mac + "\"}").status, 400u);
}

TEST_F(SharedSecretApiTest, a_wrong_mac_makes_none) {
  const std::string nonce = get("/_synapse/admin/v1/register").text("nonce");
  const auto reply = post("/_synapse/admin/v1/register",
                          R"({"nonce":")" + nonce + R"(","username":"anna","password":"pw","mac":"00"})");
  EXPECT_EQ(reply.status, 403u);
  EXPECT_EQ(get(v3 + "/profile/@anna:example.org").status, 404u);
  EXPECT_EQ(post("/_synapse/admin/v1/register", R"({"nonce":"x"})").errcode(), "M_MISSING_PARAM");
}

// --- profiles

TEST_F(AccountsApiTest, profile_fields_are_set_read_and_taken_away) {
  const std::string token = token_of("anna");
  const std::string profile = v3 + "/profile/@anna:example.org";
  EXPECT_EQ(get(profile).json, (boost::json::object{{"displayname", "anna"}})) << "until another is set";
  EXPECT_EQ(put(profile + "/displayname", R"({"displayname":"Anna"})", token).status, 200u);
  EXPECT_EQ(put(profile + "/avatar_url", R"({"avatar_url":"mxc://a/b"})", token).status, 200u);
  EXPECT_EQ(get(profile).json, (boost::json::object{{"displayname", "Anna"}, {"avatar_url", "mxc://a/b"}}));
  EXPECT_EQ(get(profile + "/avatar_url").json, (boost::json::object{{"avatar_url", "mxc://a/b"}}));
  EXPECT_EQ(put(profile + "/displayname", R"({"displayname":""})", token).status, 200u);
  EXPECT_EQ(get(profile + "/displayname").errcode(), "M_NOT_FOUND");
  EXPECT_EQ(call(Verb::delete_, profile + "/avatar_url", "", token).status, 200u);
  EXPECT_EQ(get(profile).json, boost::json::object());
}

// While the turn of an earlier change is held, which is telling the user's rooms.
Task<> ask_meanwhile(test::ApiKit& kit, http::Request& request, bool& changed) {
  const auto turn = co_await kit.accounts.profile_turn(request.requester->user_nid);
  const auto match = kit.router.match(request.verb, request.path);
  request.path_parameters = match.parameters;
  spawn(kit.reactor, match.route->handler(request),
        [&changed](std::exception_ptr, Result<http::Response> done) { changed = done.has_value(); });
  for (int i = 0; i < 10; ++i) {
    const auto profile = co_await kit.accounts.profile(request.requester->user);
    EXPECT_EQ(profile->display_name, "anna");
  }
  EXPECT_FALSE(changed);
}

TEST_F(AccountsApiTest, a_change_of_profile_waits_until_the_rooms_know_of_the_one_before) {
  http::Request request;
  request.verb = Verb::put;
  request.path = v3 + "/profile/@anna:example.org/displayname";
  request.body = R"({"displayname":"Anna"})";
  request.requester = authenticate(token_of("anna")).value();
  bool changed = false;
  run(ask_meanwhile(*this, request, changed));
  EXPECT_TRUE(changed);
  EXPECT_EQ(get(v3 + "/profile/@anna:example.org").text("displayname"), "Anna");
}

TEST_F(AccountsApiTest, profiles_can_be_changed_only_as_promised) {
  const std::string token = token_of("anna");
  register_user("berta");
  const auto error = [&](const std::string& path, const std::string& body) {
    return put(v3 + "/profile/" + path, body, token).errcode();
  };
  EXPECT_EQ(error("@berta:example.org/displayname", R"({"displayname":"B"})"), "M_FORBIDDEN");
  EXPECT_EQ(error("@anna:example.org/m.tz", R"({"m.tz":"Europe/Zurich"})"), "M_FORBIDDEN");
  EXPECT_EQ(error("@anna:example.org/displayname", R"({"avatar_url":"x"})"), "M_MISSING_PARAM");
  EXPECT_EQ(error("@anna:example.org/displayname", R"({"displayname":1})"), "M_BAD_JSON");
  EXPECT_EQ(get(v3 + "/profile/@nobody:example.org").errcode(), "M_NOT_FOUND");
  EXPECT_EQ(get(v3 + "/profile/nonsense").status, 400u);
}

TEST_F(AccountsApiTest, profiles_of_other_servers_are_asked_for) {
  remote.profiles[UserId::trusted("@zoe:elsewhere.org")] = {{"displayname", "Zoe"}, {"m.tz", "UTC"}};
  EXPECT_EQ(get(v3 + "/profile/@zoe:elsewhere.org/m.tz").text("m.tz"), "UTC");
  EXPECT_EQ(get(v3 + "/profile/@zoe:elsewhere.org").text("displayname"), "Zoe");
  EXPECT_EQ(get(v3 + "/profile/@nobody:elsewhere.org").status, 404u);
}

// --- account data, filters, push rules

TEST_F(AccountsApiTest, account_data_belongs_to_its_user) {
  const std::string anna = token_of("anna"), berta = token_of("berta");
  const std::string path = v3 + "/user/@anna:example.org/account_data/org.example";
  EXPECT_EQ(get(path, anna).errcode(), "M_NOT_FOUND");
  EXPECT_EQ(put(path, R"({"a":[1]})", anna).status, 200u);
  EXPECT_EQ(get(path, anna)["a"], "[1]");
  EXPECT_EQ(get(path, berta).errcode(), "M_FORBIDDEN");
  EXPECT_EQ(put(path, "{}", berta).errcode(), "M_FORBIDDEN");
  EXPECT_EQ(put(path, "[]", anna).errcode(), "M_BAD_JSON");
  EXPECT_EQ(put(path, "nonsense", anna).errcode(), "M_NOT_JSON");
}

TEST_F(AccountsApiTest, what_the_server_manages_cannot_be_set) {
  const std::string token = token_of("anna");
  for (const std::string type : {"m.push_rules", "m.fully_read"}) {
    const auto reply = put(v3 + "/user/@anna:example.org/account_data/" + type, "{}", token);
    EXPECT_EQ(reply.status, 405u);
    EXPECT_EQ(reply.errcode(), "M_BAD_JSON");
  }
  EXPECT_TRUE(get(v3 + "/user/@anna:example.org/account_data/m.push_rules", token).json.contains("global"));
}

TEST_F(AccountsApiTest, account_data_of_a_room_needs_something_to_do_with_it) {
  const std::string anna = token_of("anna"), berta = token_of("berta");
  const auto requester = authenticate(anna).value();
  CreateRoom creation;
  creation.creator = Sender::of(requester);
  const RoomId room = run(rooms.create_room(std::move(creation))).value();
  const std::string tail = "/rooms/" + room.str() + "/account_data/org.example";
  const std::string path = v3 + "/user/@anna:example.org" + tail;
  EXPECT_EQ(get(path, anna).errcode(), "M_NOT_FOUND");
  EXPECT_EQ(put(path, R"({"a":1})", anna).status, 200u);
  EXPECT_EQ(get(path, anna)["a"], "1");
  EXPECT_EQ(get(v3 + "/user/@anna:example.org/account_data/org.example", anna).status, 404u);
  EXPECT_EQ(put(v3 + "/user/@berta:example.org" + tail, "{}", berta).errcode(), "M_FORBIDDEN");
  EXPECT_EQ(get(v3 + "/user/@berta:example.org" + tail, berta).errcode(), "M_NOT_FOUND");
  EXPECT_EQ(put(v3 + "/user/@anna:example.org/rooms/nonsense/account_data/t", "{}", anna).errcode(), "M_INVALID_PARAM");
}

TEST_F(AccountsApiTest, filters_are_checked_and_kept) {
  const std::string anna = token_of("anna"), berta = token_of("berta");
  const std::string path = v3 + "/user/@anna:example.org/filter";
  const std::string id = post(path, R"({"room":{"timeline":{"limit":5}}})", anna).text("filter_id");
  EXPECT_EQ(get(path + "/" + id, anna)["room"], R"({"timeline":{"limit":5}})");
  EXPECT_EQ(get(path + "/nonsense", anna).errcode(), "M_NOT_FOUND");
  EXPECT_EQ(get(path + "/" + id, berta).errcode(), "M_FORBIDDEN");
  EXPECT_EQ(post(path, R"({"room":5})", anna).errcode(), "M_BAD_JSON");
}

TEST_F(AccountsApiTest, push_rules_can_be_read_as_a_whole_and_one_by_one) {
  const std::string token = token_of("anna");
  const std::string master = v3 + "/pushrules/global/override/.m.rule.master";
  EXPECT_TRUE(get(v3 + "/pushrules/", token).json.contains("global"));
  EXPECT_TRUE(get(v3 + "/pushrules/global/", token).json.contains("underride"));
  EXPECT_EQ(get(master, token).text("rule_id"), ".m.rule.master");
  EXPECT_EQ(get(master + "/enabled", token)["enabled"], "false");
  EXPECT_EQ(get(master + "/actions", token)["actions"], "[]");
  EXPECT_EQ(get(v3 + "/pushrules/global/override/nonsense", token).errcode(), "M_NOT_FOUND");
  EXPECT_EQ(get(v3 + "/pushrules/global/nonsense/.m.rule.master", token).errcode(), "M_NOT_FOUND");
}

}  // namespace
}  // namespace causeway
