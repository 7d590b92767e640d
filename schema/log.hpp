// Log lines. What formats and writes them is behind this: its templates would cost each file seconds to compile.
#pragma once

#include <fmt/core.h>

namespace causeway::log {

enum class Level { debug, info, warn, error, critical };

// Goes to spdlog's default logger, if that wants this level.
void write(Level level, fmt::string_view format, fmt::format_args arguments);

template <class... T>
void debug(fmt::format_string<T...> format, T&&... arguments) {
  write(Level::debug, format, fmt::make_format_args(arguments...));
}
template <class... T>
void info(fmt::format_string<T...> format, T&&... arguments) {
  write(Level::info, format, fmt::make_format_args(arguments...));
}
template <class... T>
void warn(fmt::format_string<T...> format, T&&... arguments) {
  write(Level::warn, format, fmt::make_format_args(arguments...));
}
template <class... T>
void error(fmt::format_string<T...> format, T&&... arguments) {
  write(Level::error, format, fmt::make_format_args(arguments...));
}
template <class... T>
void critical(fmt::format_string<T...> format, T&&... arguments) {
  write(Level::critical, format, fmt::make_format_args(arguments...));
}

}  // namespace causeway::log
