// How far people have read. spec: server-server-api#receipts
#pragma once

#include "federation/edus/edus.hpp"
#include "schema/db/tables/receipts.hpp"

namespace causeway::federation {

inline constexpr std::string_view receipts_edu_type = "m.receipt";

std::string receipt_edu(const db::ReceiptChange& receipt);
Task<> receive_receipts(Edus& edus, ServerName origin, boost::json::object content);

}  // namespace causeway::federation
