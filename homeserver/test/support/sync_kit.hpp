// SyncService over real services and a database of its own; rooms are written event by event, without authorisation.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <memory>
#include <string>

#include "homeserver/stream/stream_hub.hpp"
#include "homeserver/sync/notifier.hpp"
#include "homeserver/sync/receipts.hpp"
#include "homeserver/sync/sync_service.hpp"
#include "homeserver/sync/typing.hpp"
#include "homeserver/test/support/accounts_kit.hpp"

namespace causeway::test {

struct Member {
  UserNid nid{};
  UserId id;
  http::Requester requester;
};

inline EventSerializer::Viewer viewer_of(const http::Requester& requester) {
  return {requester.user_nid, requester.user, requester.device_nid};
}

class SyncKit : public AccountsKit {
 public:
  // Services of one life of the process. One more over the same database, with a hub that knows nothing, is what a
  // restart makes.
  struct Life {
    Life(SyncKit& kit, StreamHub& hub, std::uint32_t epoch);
    EventStore events;
    StateStore states;
    RoomReader reader;
    EventSerializer serializer;
    ReceiptService receipts;
    TypingService typing;
    Notifier notifier;
    SyncService sync;
  };

  SyncKit();
  ~SyncKit();

  Member member(const std::string& localpart);

  // Runs the reactor until the task is done, also while others wait for something.
  template <class T>
  T finish(Task<T> task) {
    auto result = start(std::move(task));
    drive([&] { return result->done(); });
    return result->take();
  }

  // A task under way.
  template <class T>
  struct Running {
    std::optional<T> value;
    std::exception_ptr error;
    bool done() const { return value || error; }
    T take() {
      if (error) std::rethrow_exception(error);
      return std::move(*value);
    }
  };
  template <class T>
  std::shared_ptr<Running<T>> start(Task<T> task) {
    auto running = std::make_shared<Running<T>>();
    spawn(reactor, std::move(task), [running](std::exception_ptr error, T value) {
      running->error = error;
      if (!error) running->value.emplace(std::move(value));
    });
    return running;
  }
  void drive(const std::function<bool()>& until);
  void drive_until_waiting(std::size_t requests);  // that many /sync requests wait

  // The reply as JSON; fails the test on an error.
  boost::json::object sync(const SyncRequest& request);
  SyncRequest request(const Member& member, std::string since = "", std::string filter = "");
  // Statements sent to the database while `action` runs.
  std::uint64_t round_trips_of(const std::function<void()>& action);

  const ServerName server = ServerName::trusted("example.org");
  const crypto::SigningKey key = crypto::SigningKey::generate("ed25519:test");
  std::unique_ptr<Life> life;
};

// A room that is written event by event.
class ScriptedRoom {
 public:
  ScriptedRoom(SyncKit& kit, const std::string& name, const Member& creator,
               const std::string& history_visibility = "shared");

  EventId message(const Member& sender, const std::string& body);
  EventId state(const Member& sender, const std::string& type, const std::string& state_key,
                boost::json::object content);
  EventId membership(const Member& sender, const Member& target, const std::string& membership,
                     const std::string& display_name = "");
  EventId join(const Member& who) { return membership(who, who, "join"); }
  EventId leave(const Member& who) { return membership(who, who, "leave"); }

  const RoomId id;
  RoomNid nid{};
  RoomInfoPtr info();

 private:
  struct Draft {
    Member sender;
    std::string type;
    std::optional<std::string> state_key;
    boost::json::object content;
    std::optional<Member> target;  // of a membership
  };
  std::vector<EventId> write(std::vector<Draft> drafts, bool is_new = false);
  std::shared_ptr<StoredEvent> add(WriteUnit& unit, const Draft& draft);

  SyncKit& kit_;
  std::int32_t state_version_ = 0;
  std::int64_t depth_ = 0;
  std::optional<EventId> last_;
  std::optional<EventNid> last_nid_;
};

}  // namespace causeway::test
