// A request's place among those that are worked on at the same time.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "schema/async/task.hpp"

namespace causeway::http {

// What a request costs, and whom it keeps from being served: each class has so many places (admission.hpp).
enum class WorkClass {
  unbounded,         // from memory, and must be answered whatever else happens
  read,              // cheap reads
  heavy,             // reads of whole rooms or accounts: initial syncs, states, member lists
  write,             // what ends in the writer
  remote,            // what may wait for another server
  login,             // what hashes a password
  federation,        // requests of other servers
  heavy_federation,  // those that read the state of whole rooms
  authentication,    // finding out which other server asks, which may take asking it for its keys
};
inline constexpr std::size_t work_classes = 9;

class Admission;

// Given back when it is destroyed. Belongs to the reactor thread.
class Place {
 public:
  Place() = default;  // of a request that needs none
  Place(Place&& other) noexcept { *this = std::move(other); }
  Place& operator=(Place&& other) noexcept;
  ~Place() { leave(); }

  // Gives it to others while the request waits for something to happen.
  void leave();
  // Takes one again before the request goes on: at once if that is possible, else when its turn has come. Nobody is
  // refused then.
  bool try_enter_again();
  Task<> enter_again();

 private:
  friend class Admission;
  Place(std::shared_ptr<Admission> admission, WorkClass work, std::uint64_t key)
      : admission_(std::move(admission)), work_(work), key_(key), held_(true) {}

  std::shared_ptr<Admission> admission_;
  WorkClass work_ = WorkClass::unbounded;
  std::uint64_t key_ = 0;
  bool held_ = false;
};

}  // namespace causeway::http
