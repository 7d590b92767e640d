#include "federation/foreign_body.hpp"

#include "schema/json/foreign.hpp"

namespace causeway::federation {

namespace {

constexpr std::size_t parse_on_reactor_below = 32 * 1024;

}  // namespace

Task<Result<boost::json::object>> read_foreign_object(CpuPool& cpu, std::string text) {
  if (text.size() < parse_on_reactor_below) co_return json::parse_foreign_object(text);
  auto parse = [text = std::move(text)] { return json::parse_foreign_object(text); };
  co_return co_await cpu.run(std::move(parse));
}

}  // namespace causeway::federation
