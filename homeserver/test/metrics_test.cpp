#include "homeserver/runtime/metrics.hpp"

#include <gmock/gmock.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

namespace causeway {
namespace {

using testing::HasSubstr;

TEST(Metrics, same_name_and_labels_give_the_same_series) {
  Metrics metrics;
  auto& first = metrics.counter("things_total", "Things.", {{"kind", "a"}});
  auto& again = metrics.counter("things_total", "Things.", {{"kind", "a"}});
  auto& other = metrics.counter("things_total", "Things.", {{"kind", "b"}});
  EXPECT_EQ(&first, &again);
  EXPECT_NE(&first, &other);
}

TEST(Metrics, text_holds_every_kind_with_the_prefix) {
  Metrics metrics;
  metrics.counter("requests_total", "Requests.", {{"status", "2xx"}}).Increment(3);
  metrics.gauge("connections", "Connections.").Set(7);
  metrics.histogram("seconds", "Time.", {0.1, 1}).Observe(0.5);
  const auto text = metrics.text();
  EXPECT_THAT(text, HasSubstr("causeway_requests_total{status=\"2xx\"} 3"));
  EXPECT_THAT(text, HasSubstr("causeway_connections 7"));
  EXPECT_THAT(text, HasSubstr("causeway_seconds_bucket{le=\"1\"} 1"));
}

}  // namespace
}  // namespace causeway
