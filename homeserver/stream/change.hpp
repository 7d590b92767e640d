// The kinds of stream data beside what happens in rooms: whatever else is durable and can be observed by clients. Each
// change takes a position of its own.
//
// A kind is a file of schema/db/tables: a struct with what it changes and its `position`, how it becomes rows (`add`)
// and what it weighs in bytes beyond a row (`weight_bytes`); and a name in this list.
#pragma once

#include <variant>

#include "schema/db/tables/account_data.hpp"
#include "schema/db/tables/accounts.hpp"
#include "schema/db/tables/aliases.hpp"
#include "schema/db/tables/devices.hpp"
#include "schema/db/tables/receipts.hpp"
#include "schema/db/tables/rooms.hpp"

namespace causeway {

using Change = std::variant<db::ReceiptChange, db::AccountDataChange, db::AliasChange, db::PublicationChange,
                            db::ProfileChange, db::Login, db::Logout>;

}  // namespace causeway
