// causeway serve | user create | user token | config check | db migrate | db check | backup | restore | version
#pragma once

namespace causeway {

// Returns the exit status: 0 done, 1 failed (a sentence on standard error), 2 wrong usage or configuration.
int run_command_line(int argc, char** argv);

}  // namespace causeway
