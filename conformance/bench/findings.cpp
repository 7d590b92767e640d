#include "conformance/bench/findings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "conformance/bench/aims.hpp"

namespace causeway::bench {

void Findings::note(std::string_view scenario, std::string_view what, double value) {
  values_[Key(scenario, what)] = value;
}

void Findings::leave_out(std::string_view scenario, std::string_view what, std::string why) {
  left_out_[Key(scenario, what)] = std::move(why);
}

std::optional<double> Findings::value(std::string_view scenario, std::string_view what) const {
  const auto found = values_.find(Key(scenario, what));
  return found == values_.end() ? std::nullopt : std::optional(found->second);
}

std::string Findings::why_not(std::string_view scenario, std::string_view what) const {
  for (const std::string_view which : {what, std::string_view()})
    if (const auto found = left_out_.find(Key(scenario, which)); found != left_out_.end()) return found->second;
  return "the scenario did not get so far";
}

namespace {

// Three figures are enough.
std::string number(double value) {
  if (value >= 100) return fmt::format("{:.0f}", value);
  return fmt::format("{:.{}f}", value, value >= 10 ? 1 : value >= 1 ? 2 : 3);
}

std::string with_unit(double value, std::string_view unit) {
  return number(value) + (unit.empty() || unit == "/s" ? "" : " ") + std::string(unit);
}

bool is_time_of_rate(const Aim& aim) {
  return aim.beside.is_rate && aim.unit == "ms";
}

// One reference in the finding's unit; nothing if it was not measured.
std::optional<double> reference_of(const Aim& aim, const Findings& findings) {
  const auto value = findings.value(aim.beside.scenario, aim.beside.what);
  if (!value || *value <= 0) return std::nullopt;
  return is_time_of_rate(aim) ? 1000 / *value : *value;
}

std::string in_references(const Aim& aim, const std::string& amount) {
  return fmt::format("{} {} {}", amount, is_time_of_rate(aim) ? '/' : 'x', aim.beside.symbol);
}

std::string describe_bound(const Aim& aim) {
  const auto& [sense, amount, of_references] = aim.bound;
  if (sense == Sense::reported) return "";
  std::string text = fmt::format("{:.6g}", amount);
  text = of_references ? in_references(aim, text) : fmt::format("{} {}", text, aim.unit);
  return (sense == Sense::at_least ? ">= " : "<= ") + text;
}

std::string describe_ratio(const Aim& aim, double value, std::optional<double> reference) {
  return reference ? in_references(aim, number(value / *reference)) : "";
}

std::string judge(const Aim& aim, double value, std::optional<double> reference) {
  const auto& [sense, amount, of_references] = aim.bound;
  if (sense == Sense::reported) return "reported";
  if (of_references && !reference) return fmt::format("not judged: no {} in this run", aim.beside.symbol);
  const double limit = of_references ? amount * *reference : amount;
  return (sense == Sense::at_least ? value >= limit : value <= limit) ? "met" : "MISSED";
}

std::string row(const Aim& aim, const Findings& findings) {
  const auto value = findings.value(aim.scenario, aim.what);
  const auto reference = reference_of(aim, findings);
  return fmt::format(
      "{:<16} {:<22} {:>11}  {:<18} {:<18} {}\n", aim.scenario, aim.what, value ? with_unit(*value, aim.unit) : "",
      describe_bound(aim), value ? describe_ratio(aim, *value, reference) : "",
      value ? judge(aim, *value, reference) : "not measured: " + findings.why_not(aim.scenario, aim.what));
}

std::string legend(const Findings& findings) {
  std::string text;
  for (const auto& [symbol, what, meaning] : {std::tuple{"C", "commits", "commits/s by one client"},
                                              std::tuple{"V", "verifications", "signature checks/s on one core"},
                                              std::tuple{"H", "bare requests", "GET /versions per second"},
                                              std::tuple{"S", "copied", "MB/s through a socket"}}) {
    const auto value = findings.value("limit", what);
    text += fmt::format("{}: {} {}; ", symbol, value ? number(*value) : "unknown", meaning);
  }
  return text + "n / C: the time of n commits.\n" +
         "CPU is the server's and its PostgreSQL's, per operation. MB and KiB are memory (PSS) without "
         "PostgreSQL's.\n";
}

}  // namespace

std::string table_of_aims(const Findings& findings, const std::vector<std::string_view>& scenarios) {
  std::string text = fmt::format("{:<16} {:<22} {:>11}  {:<18} {:<18} {}\n", "scenario", "what", "measured", "aim",
                                 "ratio", "verdict");
  for (const Aim& aim : all_aims())
    if (std::ranges::find(scenarios, aim.scenario) != scenarios.end()) text += row(aim, findings);
  return text + legend(findings);
}

}  // namespace causeway::bench
