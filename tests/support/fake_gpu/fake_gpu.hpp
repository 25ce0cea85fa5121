#pragma once

// Control of the look-alike of the CUDA runtime and NCCL (see tests/README.md), for programs
// that are linked with it. Others set the environment.

#include <cstddef>
#include <map>
#include <string>

namespace kantor::fake_gpu {

/// FUNCTION:NUMBER:WHAT[:RANK], several joined by ';'. "" for none. Counting starts anew.
/// WHAT is a return code; or "pending" (started, never finished), "hang" (does not return),
/// "nothing" (reports success, does nothing), "async=CODE" (NCCL's asynchronous error from then
/// on). FUNCTION "collective" counts all collectives.
/// The environment variable KANTOR_FAKE_FAULTS says the same to a whole program.
void inject(const std::string& faults);
/// Whether one of them has come into effect on this rank.
bool has_fired();
/// Calls of each function since inject().
std::map<std::string, int> calls();

/// What cudaGetLastError() would say on this thread; 0: nothing.
int last_error();

/// How often NCCL says "in progress" before it does what a call asks for (KANTOR_FAKE_POLLS).
void set_polls(int polls);
/// How often something must poll before a collective that has come to the front of its stream
/// begins (KANTOR_FAKE_DELAY): it is late, and all behind it.
void set_delay(int polls);

/// Device memory. The program cannot touch it but through these, as on a real GPU.
void* allocate(std::size_t bytes);
void release(void* device);
void write(void* device, const void* host, std::size_t bytes);
void read(void* host, const void* device, std::size_t bytes);
/// A further stream, as a caller's own, and how often something was put on it.
void* make_stream();
int num_enqueued(void* stream);
/// What of it is not done.
int num_waiting(void* stream);
/// Blocks of device and page-locked memory, streams and events that were not freed.
int num_open();

}  // namespace kantor::fake_gpu
