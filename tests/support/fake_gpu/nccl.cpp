// NCCL's side of the look-alike: non-blocking communicators over MPI messages.
// Shapes: P ranks.

#include <nccl.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/fake_gpu/exchange.hpp"
#include "tests/support/fake_gpu/faults.hpp"
#include "tests/support/fake_gpu/memory.hpp"
#include "tests/support/fake_gpu/reduction.hpp"
#include "tests/support/fake_gpu/streams.hpp"

using namespace kantor::fake_gpu;
using Parts = std::vector<std::vector<std::byte>>;  // [P]

struct ncclComm {
  int size = 0;
  int rank = 0;
  int device = 0;
  int first_tag = 0;
  int num_exchanges = 0;
  ncclResult_t error = ncclSuccess;
  int polls_left = 0;
  std::function<bool()> activity;  // what "in progress" is about; says whether it is through
  bool is_finalized = false;
  bool is_aborted = false;

  std::shared_ptr<Exchange> exchange(const std::byte* own, std::size_t own_bytes,
                                     std::size_t part_bytes) {
    Parts parts(static_cast<std::size_t>(size), std::vector<std::byte>(part_bytes));
    parts[static_cast<std::size_t>(rank)].assign(own, own + own_bytes);
    return Exchange::begin(first_tag + num_exchanges++ % (1 << 20), rank, std::move(parts));
  }
  void start(std::function<bool()> what) {
    polls_left = polls();
    activity = std::move(what);
  }
  bool is_pending() {
    if (!activity) return false;
    if (polls_left > 0) {
      --polls_left;
      return true;
    }
    if (!activity()) return true;
    activity = nullptr;
    return false;
  }
  /// All ranks have come here.
  std::function<bool()> meeting() {
    return [this, met = std::shared_ptr<Exchange>()]() mutable {
      if (!met) met = exchange(nullptr, 0, 0);
      return met->is_done();
    };
  }
};

namespace {

std::set<ncclComm*>& comms() {
  static std::set<ncclComm*> all;
  return all;
}

bool is_usable(ncclComm_t comm) {
  return comms().contains(comm) && !comm->is_aborted && !comm->is_finalized;
}

const auto kNever = [] { return false; };

/// What a collective has in common: a check of the buffers, its faults, its place on the stream.
struct Collective {
  const char* name;
  const void* from;
  std::size_t from_bytes;
  void* to;
  std::size_t to_bytes;
  std::function<void(const Parts& all, std::byte* to)> finish;
};

std::function<bool()> work_of(ncclComm* comm, const Collective& one) {
  return [comm, one, under_way = std::shared_ptr<Exchange>()]() mutable {
    if (!under_way) under_way = comm->exchange(bytes_of(one.from), one.from_bytes, one.from_bytes);
    if (!under_way->is_done()) return false;
    one.finish(under_way->all(), bytes_of(one.to));
    return true;
  };
}

/// Work that begins only after some polls.
std::function<bool()> delayed(std::function<bool()> work) {
  if (delay() == 0) return work;
  return [left = delay(), work = std::move(work)]() mutable { return left-- <= 0 && work(); };
}

ncclResult_t enqueue(ncclComm_t comm, cudaStream_t handle, const Collective& one) {
  Action action = next(one.name);
  const Action among_all = next("collective");
  if (action.kind == Kind::work) action = among_all;
  if (action.kind == Kind::code) return static_cast<ncclResult_t>(action.value);
  if (action.kind == Kind::nothing) return ncclSuccess;
  if (!is_usable(comm) || comm->activity) return ncclInvalidUsage;
  if (!is_device(one.from, one.from_bytes) || !is_device(one.to, one.to_bytes)) {
    return ncclInvalidArgument;
  }
  Stream* stream = stream_of(handle);
  if (stream == nullptr) return ncclInvalidArgument;
  const bool never = action.kind == Kind::pending;
  const auto launch = [=] {
    stream->put(never ? std::function<bool()>(kNever) : delayed(work_of(comm, one)));
    return true;
  };
  if (action.kind == Kind::async) comm->error = static_cast<ncclResult_t>(action.value);
  if (polls() == 0) {
    launch();
    return ncclSuccess;
  }
  comm->start(launch);
  return ncclInProgress;
}

}  // namespace

#define FAKE_NCCL_ENTRY()                                                        \
  const Action action = next(__func__);                                          \
  if (action.kind == Kind::code) return static_cast<ncclResult_t>(action.value); \
  if (action.kind == Kind::nothing) return ncclSuccess

extern "C" {

const char* ncclGetErrorString(ncclResult_t result) {
  thread_local std::string text;
  text = "look-alike NCCL error " + std::to_string(static_cast<int>(result));
  return text.c_str();
}

const char* ncclGetLastError(ncclComm_t) { return "injected"; }

ncclResult_t ncclGetVersion(int* version) {
  FAKE_NCCL_ENTRY();
  *version = setting("KANTOR_FAKE_NCCL_VERSION", NCCL_VERSION_CODE);
  return ncclSuccess;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  FAKE_NCCL_ENTRY();
  static int number = 0;
  ++number;
  std::memset(id, 1, sizeof *id);
  std::memcpy(id->internal, &number, sizeof number);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  FAKE_NCCL_ENTRY();
  if (config == nullptr || config->magic != 0xcafebeef || config->size != sizeof *config ||
      config->blocking != 0 || rank < 0 || rank >= size || current_device() < 0) {
    return ncclInvalidArgument;
  }
  int number = 0;
  std::memcpy(&number, id.internal, sizeof number);
  auto* made = new ncclComm;
  made->size = size;
  made->rank = rank;
  made->device = current_device();
  made->first_tag = (number % 2047) << 20;
  comms().insert(made);
  made->start(action.kind == Kind::pending ? std::function<bool()>(kNever) : made->meeting());
  *comm = made;
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  FAKE_NCCL_ENTRY();
  if (!comms().contains(comm) || comm->is_aborted) return ncclInvalidArgument;
  progress();
  if (action.kind == Kind::async) comm->error = static_cast<ncclResult_t>(action.value);
  *error = comm->error != ncclSuccess ? comm->error
           : comm->is_pending()       ? ncclInProgress
                                      : ncclSuccess;
  return ncclSuccess;
}

ncclResult_t ncclCommCount(const ncclComm_t comm, int* count) {
  FAKE_NCCL_ENTRY();
  if (!is_usable(comm)) return ncclInvalidArgument;
  *count = comm->size;
  return ncclSuccess;
}

ncclResult_t ncclCommUserRank(const ncclComm_t comm, int* rank) {
  FAKE_NCCL_ENTRY();
  if (!is_usable(comm)) return ncclInvalidArgument;
  *rank = comm->rank;
  return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  FAKE_NCCL_ENTRY();
  if (!is_usable(comm)) return ncclInvalidArgument;
  comm->start(action.kind == Kind::pending ? std::function<bool()>(kNever) : comm->meeting());
  comm->is_finalized = true;
  return ncclInProgress;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  FAKE_NCCL_ENTRY();
  if (!comms().contains(comm) || !comm->is_finalized || comm->activity) return ncclInvalidUsage;
  comms().erase(comm);
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {  // may come from another thread: no MPI
  FAKE_NCCL_ENTRY();
  if (current_device() != comm->device) return ncclInvalidUsage;
  comm->is_aborted = true;
  return ncclSuccess;
}

ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t type,
                           ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  const std::size_t bytes = count * size_of(type);
  return enqueue(
      comm, stream,
      {"ncclAllReduce", from, bytes, to, bytes,
       [=](const Parts& all, std::byte* result) { reduce(all, 0, bytes, type, op, result); }});
}

ncclResult_t ncclReduceScatter(const void* from, void* to, size_t count, ncclDataType_t type,
                               ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  const std::size_t bytes = count * size_of(type);
  const auto size = static_cast<std::size_t>(comm->size);
  const auto rank = static_cast<std::size_t>(comm->rank);
  return enqueue(comm, stream,
                 {"ncclReduceScatter", from, size * bytes, to, bytes,
                  [=](const Parts& all, std::byte* result) {
                    reduce(all, rank * bytes, bytes, type, op, result);
                  }});
}

ncclResult_t ncclAllGather(const void* from, void* to, size_t count, ncclDataType_t type,
                           ncclComm_t comm, cudaStream_t stream) {
  const std::size_t bytes = count * size_of(type);
  const auto size = static_cast<std::size_t>(comm->size);
  return enqueue(
      comm, stream,
      {"ncclAllGather", from, bytes, to, size * bytes, [](const Parts& all, std::byte* result) {
         for (const auto& part : all) {
           result = std::copy(part.begin(), part.end(), result);
         }
       }});
}

ncclResult_t ncclBroadcast(const void* from, void* to, size_t count, ncclDataType_t type, int root,
                           ncclComm_t comm, cudaStream_t stream) {
  const std::size_t bytes = count * size_of(type);
  return enqueue(
      comm, stream,
      {"ncclBroadcast", from, bytes, to, bytes, [=](const Parts& all, std::byte* result) {
         const auto& theirs = all[static_cast<std::size_t>(root)];
         std::copy(theirs.begin(), theirs.end(), result);
       }});
}

}  // extern "C"
