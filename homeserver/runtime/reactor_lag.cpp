#include "homeserver/runtime/reactor_lag.hpp"

#include <prometheus/histogram.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <ctime>
#include <system_error>

namespace causeway {
namespace {

using namespace std::chrono_literals;

constexpr auto measure_every = 5ms;
// A reactor that has read nothing for so long has found nothing ready: what stood there before is gone.
constexpr auto forgotten_after = 10ms;
const std::vector<double> buckets{0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.08, 0.15, 0.3, 1, 3};

int always_readable() {
  const int descriptor = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  return descriptor;
}

ReactorLag::Duration processor_time() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

struct ReactorLag::Probe {
  Probe(asio::any_io_executor executor, Metrics& metrics, OnMeasured callback)
      : descriptor(executor, always_readable()),
        lags(metrics.histogram("reactor_lag_seconds", "Processor time of the reactor until it comes to what is ready.",
                               buckets)),
        waits(metrics.histogram("reactor_wait_seconds", "Time until the reactor comes to what is ready.", buckets)),
        on_measured(std::move(callback)) {}

  void end(TimePoint now) {
    under_way = false;
    ended = now;
    last = so_far();
    lags.Observe(std::chrono::duration<double>(last).count());
    waits.Observe(std::chrono::duration<double>(ended - begun).count());
    on_measured(begun, ended, last);
  }
  Duration so_far() const { return processor_time() - used_before; }

  asio::posix::stream_descriptor descriptor;
  prometheus::Histogram &lags, &waits;
  OnMeasured on_measured;
  bool under_way = false;
  bool abandoned = false;
  TimePoint begun, ended;
  Duration used_before{}, last{};
};

ReactorLag::ReactorLag(asio::any_io_executor executor, Metrics& metrics, OnMeasured on_measured)
    : probe_(std::make_shared<Probe>(executor, metrics, std::move(on_measured))) {}

ReactorLag::~ReactorLag() {
  probe_->abandoned = true;
  boost::system::error_code ignored;
  probe_->descriptor.close(ignored);
}

void ReactorLag::measure(TimePoint now) {
  Probe& probe = *probe_;
  if (probe.under_way || now - probe.begun < measure_every) return;
  if (now - probe.ended > forgotten_after) probe.last = Duration::zero();
  probe.under_way = true;
  probe.begun = now;
  probe.used_before = processor_time();
  // Each wait registers the descriptor anew: being readable already, it is appended to what is ready.
  probe.descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                              [probe = probe_](const boost::system::error_code&) {
                                if (!probe->abandoned) probe->end(std::chrono::steady_clock::now());
                              });
}

ReactorLag::Duration ReactorLag::lag(TimePoint now) const {
  const Probe& probe = *probe_;
  if (!probe.under_way) return now - probe.ended > forgotten_after ? Duration::zero() : probe.last;
  // Less time than that has gone by: no need to ask for the processor's, which takes a system call.
  if (now - probe.begun <= probe.last) return probe.last;
  return std::max(probe.last, probe.so_far());
}

}  // namespace causeway
