// The CUDA runtime's side of the look-alike.

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/fake_gpu/fake_gpu.hpp"
#include "tests/support/fake_gpu/faults.hpp"
#include "tests/support/fake_gpu/memory.hpp"
#include "tests/support/fake_gpu/streams.hpp"

namespace kantor::fake_gpu {
namespace {

struct Event {
  int num_recorded = 0;
  int num_reached = 0;
};

struct Runtime {
  std::set<Stream*> streams;
  Stream default_stream;
  std::set<Event*> events;
  thread_local static int device;
};
thread_local int Runtime::device = -1;
thread_local cudaError_t last_code = cudaSuccess;

/// As the runtime does of each error that a function returns, "not ready" too.
cudaError_t remembered(cudaError_t code) {
  if (code != cudaSuccess) last_code = code;
  return code;
}

Runtime& runtime() {
  static Runtime the_runtime;
  return the_runtime;
}

Event* event_of(cudaEvent_t handle) {
  auto* event = reinterpret_cast<Event*>(handle);
  return runtime().events.contains(event) ? event : nullptr;
}

void drain(Stream& stream) {
  while (!stream.work.empty() && stream.work.front()()) stream.work.pop_front();
}

bool fits(const void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  // From ordinary host memory a real copy would make the caller wait for the stream: not allowed.
  if (kind == cudaMemcpyHostToDevice) return is_device(to, bytes) && is_page_locked(from, bytes);
  if (kind == cudaMemcpyDeviceToHost) return is_page_locked(to, bytes) && is_device(from, bytes);
  return false;
}

}  // namespace

void Stream::put(std::function<bool()> one) {
  work.push_back(std::move(one));
  ++num_enqueued;
}

Stream* stream_of(cudaStream_t handle) {
  if (handle == nullptr) return &runtime().default_stream;
  auto* stream = reinterpret_cast<Stream*>(handle);
  return runtime().streams.contains(stream) ? stream : nullptr;
}

void progress() {
  drain(runtime().default_stream);
  for (Stream* stream : runtime().streams) drain(*stream);
}

int last_error() { return static_cast<int>(cudaPeekAtLastError()); }

int current_device() { return Runtime::device; }

void* make_stream() { return *runtime().streams.insert(new Stream).first; }
int num_enqueued(void* stream) { return static_cast<Stream*>(stream)->num_enqueued; }
int num_waiting(void* stream) {
  return static_cast<int>(static_cast<Stream*>(stream)->work.size());
}
int num_open() {
  return num_open_blocks() + static_cast<int>(runtime().streams.size() + runtime().events.size());
}
void* allocate(std::size_t bytes) { return allocate_device(bytes); }
void release(void* device) { release_device(device); }
void write(void* device, const void* host, std::size_t bytes) {
  std::memcpy(bytes_of(device), host, bytes);
}
void read(void* host, const void* device, std::size_t bytes) {
  std::memcpy(host, bytes_of(device), bytes);
}

}  // namespace kantor::fake_gpu

using namespace kantor::fake_gpu;

/// The fault that is due now, before the function does its work.
#define FAKE_CUDA_ENTRY()                                                                   \
  const Action action = next(__func__);                                                     \
  if (action.kind == Kind::code) return remembered(static_cast<cudaError_t>(action.value)); \
  if (action.kind == Kind::nothing) return cudaSuccess

extern "C" {

const char* cudaGetErrorString(cudaError_t error) {
  thread_local std::string text;
  text = "look-alike error " + std::to_string(static_cast<int>(error));
  return text.c_str();
}

cudaError_t cudaPeekAtLastError() { return last_code; }

cudaError_t cudaGetLastError() { return std::exchange(last_code, cudaSuccess); }

cudaError_t cudaRuntimeGetVersion(int* version) {
  FAKE_CUDA_ENTRY();
  *version = setting("KANTOR_FAKE_CUDA_VERSION", CUDART_VERSION);
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  FAKE_CUDA_ENTRY();
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  FAKE_CUDA_ENTRY();
  *count = setting("KANTOR_FAKE_DEVICES", 8);
  return remembered(*count == 0 ? cudaErrorNoDevice : cudaSuccess);
}

cudaError_t cudaSetDevice(int device) {
  FAKE_CUDA_ENTRY();
  if (device < 0 || device >= setting("KANTOR_FAKE_DEVICES", 8))
    return remembered(cudaErrorInvalidDevice);
  Runtime::device = device;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  FAKE_CUDA_ENTRY();
  *device = Runtime::device < 0 ? 0 : Runtime::device;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  FAKE_CUDA_ENTRY();
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "Look-alike");
  const int number = setting("KANTOR_FAKE_FIRST_DEVICE", 0) + device;
  properties->uuid.bytes[15] = static_cast<char>(number + 1);
  properties->pciBusID = number + 1;
  properties->major = 9;
  properties->totalGlobalMem = std::size_t{80} << 30;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  FAKE_CUDA_ENTRY();
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int) {
  FAKE_CUDA_ENTRY();
  *stream = static_cast<cudaStream_t>(make_stream());
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  FAKE_CUDA_ENTRY();
  Stream* stream = stream_of(handle);
  if (handle == nullptr || stream == nullptr) return remembered(cudaErrorInvalidResourceHandle);
  runtime().streams.erase(stream);
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  FAKE_CUDA_ENTRY();
  *event = reinterpret_cast<cudaEvent_t>(*runtime().events.insert(new Event).first);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
  FAKE_CUDA_ENTRY();
  Event* event = event_of(handle);
  if (event == nullptr) return remembered(cudaErrorInvalidResourceHandle);
  runtime().events.erase(event);
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t stream) {
  FAKE_CUDA_ENTRY();
  Event* event = event_of(handle);
  if (event == nullptr || stream_of(stream) == nullptr)
    return remembered(cudaErrorInvalidResourceHandle);
  const int number = ++event->num_recorded;
  stream_of(stream)->put([event, number] {
    event->num_reached = number;
    return true;
  });
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
  FAKE_CUDA_ENTRY();
  const Event* event = event_of(handle);
  if (event == nullptr) return remembered(cudaErrorInvalidResourceHandle);
  progress();
  return remembered(event->num_reached == event->num_recorded ? cudaSuccess : cudaErrorNotReady);
}

// Calls that wait, without a deadline: there so that a use of one is counted.

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  FAKE_CUDA_ENTRY();
  const Event* event = event_of(handle);
  if (event == nullptr) return remembered(cudaErrorInvalidResourceHandle);
  while (event->num_reached != event->num_recorded) progress();
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  FAKE_CUDA_ENTRY();
  const Stream* stream = stream_of(handle);
  if (stream == nullptr) return remembered(cudaErrorInvalidResourceHandle);
  while (!stream->work.empty()) progress();
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  FAKE_CUDA_ENTRY();
  const auto is_idle = [](const Stream* stream) { return stream->work.empty(); };
  while (!is_idle(&runtime().default_stream) ||
         !std::all_of(runtime().streams.begin(), runtime().streams.end(), is_idle)) {
    progress();
  }
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  FAKE_CUDA_ENTRY();
  *pointer = allocate_device(bytes);
  return remembered(*pointer == nullptr ? cudaErrorMemoryAllocation : cudaSuccess);
}

cudaError_t cudaFree(void* pointer) {
  FAKE_CUDA_ENTRY();
  return remembered(release_device(pointer) ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned) {
  FAKE_CUDA_ENTRY();
  *pointer = allocate_page_locked(bytes);
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* pointer) {
  FAKE_CUDA_ENTRY();
  return remembered(release_page_locked(pointer) ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t handle) {
  FAKE_CUDA_ENTRY();
  Stream* stream = stream_of(handle);
  if (stream == nullptr) return remembered(cudaErrorInvalidResourceHandle);
  if (!fits(to, from, bytes, kind)) return remembered(cudaErrorInvalidValue);
  stream->put([=] {
    std::memcpy(bytes_of(to), bytes_of(from), bytes);
    return true;
  });
  return cudaSuccess;
}

/// Kernels do nothing here (tests/support/gpu_emulation runs their bodies), but take their turn.
cudaError_t cudaLaunchKernel(const void* function, dim3 grid, dim3 block, void** arguments,
                             size_t shared_bytes, cudaStream_t handle) {
  FAKE_CUDA_ENTRY();
  Stream* stream = stream_of(handle);
  if (stream == nullptr) return remembered(cudaErrorInvalidResourceHandle);
  if (function == nullptr || arguments == nullptr)
    return remembered(cudaErrorInvalidDeviceFunction);
  // What every card allows without being asked first.
  if (grid.x == 0 || grid.y == 0 || grid.y > 65535 || block.x == 0 || block.x > 1024 ||
      shared_bytes > 48 * 1024) {
    return remembered(cudaErrorInvalidConfiguration);
  }
  stream->put([] { return true; });
  return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  FAKE_CUDA_ENTRY();
  *attributes = {};
  attributes->type = is_device(pointer, 1)        ? cudaMemoryTypeDevice
                     : is_page_locked(pointer, 1) ? cudaMemoryTypeHost
                                                  : cudaMemoryTypeUnregistered;
  attributes->device = attributes->type == cudaMemoryTypeDevice ? Runtime::device : -2;
  return cudaSuccess;
}

}  // extern "C"
