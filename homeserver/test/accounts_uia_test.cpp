#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "homeserver/accounts/uia.hpp"
#include "homeserver/test/support/run_task.hpp"
#include "schema/crypto/crypto.hpp"
#include "schema/json/json.hpp"

namespace causeway {
namespace {

using boost::json::object;
using ::testing::ElementsAre;

// Wants {"answer": "right"}.
class QuizStage final : public UiaStage {
 public:
  std::string_view type() const override { return "org.example.quiz"; }
  object params() const override { return {{"question", "?"}}; }
  Task<Result<>> check(object auth) override {
    ++checks;
    if (json::find_string(auth, "answer") != "right") co_return make_error(ErrorCode::forbidden, "Wrong answer.");
    co_return Result<>();
  }
  int checks = 0;
};

class UiaTest : public ::testing::Test {
 protected:
  void SetUp() override { crypto::initialise(); }

  UiaPolicy policy(std::string scope = "register") { return {std::move(scope), {{&quiz_, &dummy_}}}; }
  UiaPolicy dummy_policy() { return {"register", {{&dummy_}}}; }

  UiaVerdict authenticate(UiaPolicy wanted, object request) {
    return test::run_task(reactor_, sessions_.authenticate(std::move(wanted), std::move(request))).value();
  }
  // The body of the 401 that the call gets.
  object challenged(UiaPolicy wanted, object request) {
    return std::get<UiaChallenge>(authenticate(std::move(wanted), std::move(request))).body;
  }
  std::string open_session() { return text(challenged(policy(), {{"username", "anna"}}), "session"); }

  static std::string text(const object& from, std::string_view key) {
    return std::string(json::find_string(from, key).value_or("(none)"));
  }
  static object with_auth(object auth, object request = {}) {
    request.emplace("auth", std::move(auth));
    return request;
  }
  static object quiz_auth(const std::string& session, const std::string& answer) {
    return {{"type", "org.example.quiz"}, {"session", session}, {"answer", answer}};
  }
  static object dummy_auth(const std::string& session) { return {{"type", "m.login.dummy"}, {"session", session}}; }

  asio::io_context reactor_;
  ManualClock clock_;
  QuizStage quiz_;
  DummyStage dummy_;
  UiaSettings settings_{.max_sessions = 3};
  UiaSessions sessions_{clock_, settings_};
};

TEST_F(UiaTest, a_call_without_auth_is_told_flows_params_and_a_session) {
  object body = challenged(policy(), {});
  EXPECT_FALSE(text(body, "session").empty());
  body.erase("session");
  EXPECT_EQ(boost::json::serialize(body), R"({"flows":[{"stages":["org.example.quiz","m.login.dummy"]}],)"
                                          R"("params":{"org.example.quiz":{"question":"?"}}})");
}

TEST_F(UiaTest, stages_completed_in_order_let_the_first_calls_parameters_through) {
  const std::string session = open_session();
  const object halfway = challenged(policy(), with_auth(quiz_auth(session, "right")));
  EXPECT_EQ(boost::json::serialize(halfway.at("completed")), R"(["org.example.quiz"])");
  EXPECT_EQ(halfway.if_contains("errcode"), nullptr);
  const auto passed = std::get<UiaPassed>(authenticate(policy(), with_auth(dummy_auth(session), {{"password", "p"}})));
  EXPECT_EQ(passed.session, session);
  EXPECT_EQ(text(passed.request, "username"), "anna");
  EXPECT_EQ(text(passed.request, "password"), "p");
  EXPECT_FALSE(passed.request.contains("auth"));
  EXPECT_EQ(text(passed.proofs.at("org.example.quiz"), "answer"), "right");
}

TEST_F(UiaTest, a_failed_stage_is_told_why_and_may_be_tried_again) {
  const std::string session = open_session();
  const object body = challenged(policy(), with_auth(quiz_auth(session, "wrong")));
  EXPECT_EQ(text(body, "errcode"), "M_FORBIDDEN");
  EXPECT_EQ(text(body, "session"), session);
  EXPECT_EQ(body.if_contains("completed"), nullptr);
  EXPECT_TRUE(challenged(policy(), with_auth(quiz_auth(session, "right"))).contains("completed"));
}

TEST_F(UiaTest, stages_out_of_order_and_unknown_ones_do_not_count) {
  const std::string session = open_session();
  EXPECT_EQ(text(challenged(policy(), with_auth(dummy_auth(session))), "errcode"), "M_UNRECOGNIZED");
  object unknown{{"type", "m.login.nonsense"}, {"session", session}};
  EXPECT_EQ(text(challenged(policy(), with_auth(unknown)), "errcode"), "M_UNRECOGNIZED");
}

TEST_F(UiaTest, a_completed_stage_is_not_run_again) {
  const std::string session = open_session();
  challenged(policy(), with_auth(quiz_auth(session, "right")));
  const object again = challenged(policy(), with_auth(quiz_auth(session, "wrong")));
  EXPECT_EQ(again.if_contains("errcode"), nullptr);
  EXPECT_TRUE(again.contains("completed"));
  EXPECT_EQ(quiz_.checks, 1);
}

TEST_F(UiaTest, a_call_with_only_the_session_says_how_far_it_is) {
  const std::string session = open_session();
  challenged(policy(), with_auth(quiz_auth(session, "right")));
  EXPECT_TRUE(challenged(policy(), with_auth({{"session", session}})).contains("completed"));
  authenticate(policy(), with_auth(dummy_auth(session)));
  EXPECT_TRUE(std::holds_alternative<UiaPassed>(authenticate(policy(), with_auth({{"session", session}}))));
}

TEST_F(UiaTest, a_session_is_good_for_its_operation_only) {
  const std::string session = open_session();
  const object body = challenged(policy("delete_device @anna:test"), with_auth(quiz_auth(session, "right")));
  EXPECT_EQ(text(body, "errcode"), "M_UNKNOWN");
  EXPECT_NE(text(body, "session"), session);
  EXPECT_EQ(quiz_.checks, 0);
}

TEST_F(UiaTest, finished_expired_and_evicted_sessions_are_gone) {
  const auto is_gone = [&](const std::string& session) {
    return text(challenged(policy(), with_auth({{"session", session}})), "session") != session;
  };
  const std::string finished = open_session();
  sessions_.finish(finished);
  EXPECT_TRUE(is_gone(finished));
  const std::string expired = open_session();
  EXPECT_FALSE(is_gone(expired));
  clock_.advance(settings_.lifetime);
  EXPECT_TRUE(is_gone(expired));
  const std::string evicted = open_session();
  for (std::size_t i = 0; i < settings_.max_sessions; ++i)
    open_session();
  EXPECT_TRUE(is_gone(evicted));
}

TEST_F(UiaTest, dummy_without_a_session_passes_only_where_configured) {
  const object request = with_auth({{"type", "m.login.dummy"}}, {{"username", "anna"}});
  EXPECT_TRUE(std::holds_alternative<UiaChallenge>(authenticate(dummy_policy(), request)));
  UiaSettings in_one_go;
  in_one_go.dummy_without_session = true;
  UiaSessions lenient(clock_, in_one_go);
  const auto verdict = test::run_task(reactor_, lenient.authenticate(dummy_policy(), request)).value();
  EXPECT_EQ(text(std::get<UiaPassed>(verdict).request, "username"), "anna");
  // It still takes an auth object, and no other stage comes for free.
  const auto without = test::run_task(reactor_, lenient.authenticate(dummy_policy(), {})).value();
  EXPECT_TRUE(std::holds_alternative<UiaChallenge>(without));
  const auto other = test::run_task(reactor_, lenient.authenticate(policy(), request)).value();
  EXPECT_TRUE(std::holds_alternative<UiaChallenge>(other));
}

TEST_F(UiaTest, the_calls_of_a_session_bring_no_more_than_it_keeps) {
  const std::string session = open_session();
  const auto bring = [&](const char* key) {
    object request{{key, std::string(settings_.max_request_bytes / 2, 'x')}};
    object call = with_auth({{"session", session}}, std::move(request));
    return test::run_task(reactor_, sessions_.authenticate(policy(), std::move(call)));
  };
  EXPECT_TRUE(bring("a"));
  EXPECT_TRUE(bring("a")) << "in place of the first";
  EXPECT_EQ(bring("b").error().code, ErrorCode::too_large);
  challenged(policy(), with_auth(quiz_auth(session, "right")));
  const auto passed = std::get<UiaPassed>(authenticate(policy(), with_auth(dummy_auth(session))));
  EXPECT_TRUE(passed.request.contains("a") && !passed.request.contains("b"));
}

TEST_F(UiaTest, malformed_auth_is_bad_json) {
  for (const object& request : {object{{"auth", "yes"}}, with_auth({{"type", 1}}), with_auth({{"session", true}})}) {
    const auto verdict = test::run_task(reactor_, sessions_.authenticate(policy(), request));
    ASSERT_TRUE(verdict.has_error());
    EXPECT_EQ(verdict.error().code, ErrorCode::bad_json);
  }
}

}  // namespace
}  // namespace causeway
