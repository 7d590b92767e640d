// Bodies of other servers' requests and replies, which may be large.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "homeserver/runtime/cpu_pool.hpp"
#include "schema/async/task.hpp"
#include "schema/matrix/error.hpp"

namespace causeway::federation {

// json::parse_foreign_object, on the CPU pool where it would hold up the reactor.
Task<Result<boost::json::object>> read_foreign_object(CpuPool& cpu, std::string text);

}  // namespace causeway::federation
