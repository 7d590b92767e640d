// Counters, gauges and histograms in Prometheus' text format, over prometheus-cpp. Callable from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
}  // namespace prometheus

namespace causeway {

using Labels = std::map<std::string, std::string>;

// Families are made at first use; names carry the prefix "causeway_". Keep the references: looking one up costs a map
// search.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  prometheus::Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {});
  prometheus::Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  prometheus::Histogram& histogram(const std::string& name, const std::string& help, std::vector<double> buckets,
                                   const Labels& labels = {});
  std::string text() const;  // for GET /metrics

 private:
  std::shared_ptr<prometheus::Registry> registry_;
  struct Families;
  std::unique_ptr<Families> families_;
};

}  // namespace causeway
