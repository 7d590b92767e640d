// What libFuzzer calls.
#include "conformance/fuzz/fuzzer.hpp"
#include "schema/crypto/crypto.hpp"

extern "C" int LLVMFuzzerInitialize(int*, char***);
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  causeway::crypto::initialise();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, std::size_t);
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  causeway::fuzz::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
