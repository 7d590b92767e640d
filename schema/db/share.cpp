#include "schema/db/share.hpp"

#include <boost/asio/execution_context.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#include <utility>

namespace causeway::db {

namespace {

namespace asio = boost::asio;
using asio::execution::blocking_t;
using asio::execution::outstanding_work_t;
using asio::execution::relationship_t;

thread_local Share running = Share::common;

class Running {
 public:
  explicit Running(Share share) : before_(std::exchange(running, share)) {}
  ~Running() { running = before_; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Share before_;
};

// Another executor that says on whose behalf things run. The members are what any_io_executor asks of an executor.
class Labelled {
 public:
  Labelled(asio::any_io_executor inner, Share share) noexcept : inner_(std::move(inner)), share_(share) {}

  template <class Function>
  void execute(Function&& function) const {
    inner_.execute([share = share_, function = std::decay_t<Function>(std::forward<Function>(function))]() mutable {
      const Running now(share);
      // It may end what holds it.
      auto held = std::move(function);
      held();
    });
  }
  friend bool operator==(const Labelled& a, const Labelled& b) noexcept {
    return a.inner_ == b.inner_ && a.share_ == b.share_;
  }
  friend bool operator!=(const Labelled& a, const Labelled& b) noexcept { return !(a == b); }

  asio::execution_context& query(asio::execution::context_t) const {
    return asio::query(inner_, asio::execution::context_as<asio::execution_context&>);
  }
  Labelled require(blocking_t::never_t property) const { return {asio::require(inner_, property), share_}; }
  Labelled prefer(blocking_t::possibly_t property) const { return {asio::prefer(inner_, property), share_}; }
  Labelled prefer(outstanding_work_t::tracked_t property) const { return {asio::prefer(inner_, property), share_}; }
  Labelled prefer(outstanding_work_t::untracked_t property) const { return {asio::prefer(inner_, property), share_}; }
  Labelled prefer(relationship_t::fork_t property) const { return {asio::prefer(inner_, property), share_}; }
  Labelled prefer(relationship_t::continuation_t property) const { return {asio::prefer(inner_, property), share_}; }

 private:
  asio::any_io_executor inner_;
  Share share_;
};

}  // namespace

asio::any_io_executor with_share(asio::any_io_executor executor, Share share) {
  return Labelled(std::move(executor), share);
}

Share current_share() {
  return running;
}

}  // namespace causeway::db
