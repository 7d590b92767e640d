#include "homeserver/runtime/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>

namespace causeway {

struct Metrics::Families {
  std::mutex mutex;
  std::map<std::string, prometheus::Family<prometheus::Counter>*, std::less<>> counters;
  std::map<std::string, prometheus::Family<prometheus::Gauge>*, std::less<>> gauges;
  std::map<std::string, prometheus::Family<prometheus::Histogram>*, std::less<>> histograms;
};

namespace {

// The family of this name, built and registered at first use.
template <class Type, class Builder>
prometheus::Family<Type>& family(std::map<std::string, prometheus::Family<Type>*, std::less<>>& known,
                                 prometheus::Registry& registry, Builder builder, const std::string& name,
                                 const std::string& help) {
  auto found = known.find(name);
  if (found == known.end()) {
    auto& made = builder.Name("causeway_" + name).Help(help).Register(registry);
    found = known.emplace(name, &made).first;
  }
  return *found->second;
}

}  // namespace

Metrics::Metrics() : registry_(std::make_shared<prometheus::Registry>()), families_(std::make_unique<Families>()) {}
Metrics::~Metrics() = default;

prometheus::Counter& Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
  std::lock_guard lock(families_->mutex);
  return family(families_->counters, *registry_, prometheus::BuildCounter(), name, help).Add(labels);
}

prometheus::Gauge& Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  std::lock_guard lock(families_->mutex);
  return family(families_->gauges, *registry_, prometheus::BuildGauge(), name, help).Add(labels);
}

prometheus::Histogram& Metrics::histogram(const std::string& name, const std::string& help, std::vector<double> buckets,
                                          const Labels& labels) {
  std::lock_guard lock(families_->mutex);
  auto& histograms = family(families_->histograms, *registry_, prometheus::BuildHistogram(), name, help);
  return histograms.Add(labels, std::move(buckets));
}

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(registry_->Collect());
}

}  // namespace causeway
