// What the sanitizers must overlook.

// libpqxx 6.4 drops the result of a statement whose connection broke under it.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:pqxx::connection_base::prepared_exec\n"
         "leak:pqxx::connection_base::register_prepared\n";
}
