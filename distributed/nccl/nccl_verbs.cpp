// The verbs: buffers in host or device memory, NCCL in between.
// Shapes: P ranks; part [n], all [P, n].

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "distributed/nccl/device_calls.hpp"
#include "distributed/nccl/flight.hpp"
#include "distributed/nccl/nccl_communicator.hpp"
#include "distributed/nccl/transfer.hpp"

namespace kantor::nccl {
namespace {

ncclDataType_t nccl_type(ElementType type) {
  switch (type) {
    case ElementType::float32:
      return ncclFloat32;
    case ElementType::float64:
      return ncclFloat64;
    case ElementType::int32:
      return ncclInt32;
    case ElementType::int64:
      return ncclInt64;
    case ElementType::byte:
      break;
  }
  return ncclUint8;
}

std::size_t bytes_of(std::int64_t count, ElementType type) {
  return static_cast<std::size_t>(count * element_bytes(type));
}

/// An integer that orders as ReduceOp::max does: -inf < .. < -0 < +0 < .. < inf < NaN (one for
/// all). The same step leads back.
template <class Key>
Key flipped(Key bits) {
  return bits >= 0 ? bits : bits ^ std::numeric_limits<Key>::max();
}
template <class Key, class Real>
Key key_of(Real x) {
  return flipped(std::bit_cast<Key>(std::isnan(x) ? std::numeric_limits<Real>::quiet_NaN() : x));
}

}  // namespace

NcclCommunicator::Operation NcclCommunicator::sum_or_max(void* buffer, std::int64_t count,
                                                         ElementType type, ReduceOp op) const {
  const std::size_t bytes = bytes_of(count, type);
  return {"ncclAllReduce",
          buffer,
          bytes,
          buffer,
          bytes,
          [=, this](const void* from, void* to, cudaStream_t stream) {
            return ncclAllReduce(from, to, static_cast<std::size_t>(count), nccl_type(type),
                                 op == ReduceOp::sum ? ncclSum : ncclMax, handle_.get(), stream);
          }};
}

void NcclCommunicator::wait_for(const IsDone& is_done) const {
  poll(
      [&] {
        host_.show_place(place_.number, place_.verb);
        return is_done();
      },
      place_.deadline_s);
}

void NcclCommunicator::carry_out(const Operation& operation, const Call& call) {
  if (operation.output_bytes == 0) return;  // on all ranks: counts are equal
  if (is_on_device(operation.input) && is_on_device(operation.output)) {
    enqueue(operation, call);
    return;
  }
  synchronize_all();  // they share the stream's order, and one deadline cannot cover all
  Transfer transfer(*this, operation);
  wait_for([&] { return transfer.is_done(); });
}

void NcclCommunicator::enqueue(const Operation& operation, const Call& call) {
  if (flight_->is_full()) synchronize_oldest([] { return false; });
  const cudaStream_t stream = stream_for(true);
  handle_.accept(operation.start(operation.input, operation.output, stream), operation.function);
  wait_for(
      [&] { return !handle_.is_pending(); });  // until on the stream: nothing may follow before
  flight_->add(call, stream);
}

void NcclCommunicator::do_all_reduce(void* buffer, std::int64_t count, ElementType type,
                                     ReduceOp op, const Call& call) {
  run(call, [&] {
    if (op == ReduceOp::max && type == ElementType::float32) {
      max_of_reals<float, std::int32_t>(buffer, count, ElementType::int32, call);
    } else if (op == ReduceOp::max && type == ElementType::float64) {
      max_of_reals<double, std::int64_t>(buffer, count, ElementType::int64, call);
    } else {
      carry_out(sum_or_max(buffer, count, type, op), call);
    }
  });
}

/// NCCL leaves open what the maximum of a NaN is, and of +0 and -0; that of integers is exact.
/// Maxima are few and small, so those in device memory take the way through the host too.
template <class Real, class Key>
void NcclCommunicator::max_of_reals(void* buffer, std::int64_t count, ElementType key_type,
                                    const Call& call) {
  if (count == 0) return;
  synchronize_all();
  const auto size = static_cast<std::size_t>(count);
  const bool is_device = is_on_device(buffer);
  std::vector<Real> values(size);
  if (is_device) {
    copy_device_to_host(values.data(), buffer, size * sizeof(Real));
  } else {
    std::memcpy(values.data(), buffer, size * sizeof(Real));
  }
  std::vector<Key> keys(size);
  for (std::size_t i = 0; i < size; ++i) keys[i] = key_of<Key>(values[i]);
  carry_out(sum_or_max(keys.data(), count, key_type, ReduceOp::max), call);
  for (std::size_t i = 0; i < size; ++i) values[i] = std::bit_cast<Real>(flipped(keys[i]));
  if (is_device) {
    copy_host_to_device(buffer, values.data(), size * sizeof(Real));
  } else {
    std::memcpy(buffer, values.data(), size * sizeof(Real));
  }
}

void NcclCommunicator::do_all_gather(const void* part, void* all, std::int64_t part_count,
                                     ElementType type, const Call& call) {
  run(call, [&] {
    carry_out({"ncclAllGather", part, bytes_of(part_count, type), all,
               bytes_of(part_count * size(), type),
               [&](const void* from, void* to, cudaStream_t stream) {
                 return ncclAllGather(from, to, static_cast<std::size_t>(part_count),
                                      nccl_type(type), handle_.get(), stream);
               }},
              call);
  });
}

void NcclCommunicator::do_reduce_scatter(const void* all, void* part, std::int64_t part_count,
                                         ElementType type, const Call& call) {
  run(call, [&] {
    carry_out({"ncclReduceScatter", all, bytes_of(part_count * size(), type), part,
               bytes_of(part_count, type),
               [&](const void* from, void* to, cudaStream_t stream) {
                 return ncclReduceScatter(from, to, static_cast<std::size_t>(part_count),
                                          nccl_type(type), ncclSum, handle_.get(), stream);
               }},
              call);
  });
}

void NcclCommunicator::do_broadcast(void* buffer, std::int64_t count, ElementType type, int root,
                                    const Call& call) {
  const std::size_t bytes = bytes_of(count, type);
  run(call, [&] {
    carry_out({"ncclBroadcast", buffer, bytes, buffer, bytes,
               [&](const void* from, void* to, cudaStream_t stream) {
                 return ncclBroadcast(from, to, static_cast<std::size_t>(count), nccl_type(type),
                                      root, handle_.get(), stream);
               }},
              call);
  });
}

void NcclCommunicator::do_barrier(const Call& call) {
  run(call, [&] {
    synchronize_all();
    host_.barrier(call.what);
  });
}

std::int64_t NcclCommunicator::do_agree(std::int64_t value, const Call& call) {
  run(call, [&] {
    synchronize_all();
    value = host_.agree(value, call.what);
  });
  return value;
}

bool NcclCommunicator::is_on_device(const void* buffer) const {
  cudaPointerAttributes attributes{};
  check(cudaPointerGetAttributes(&attributes, buffer), "cudaPointerGetAttributes");
  if (attributes.type != cudaMemoryTypeDevice && attributes.type != cudaMemoryTypeManaged) {
    return false;
  }
  if (attributes.type == cudaMemoryTypeDevice && attributes.device != device_) {
    throw ValueError(concat("a buffer for NCCL lies on GPU ", attributes.device,
                            ", but this rank works on GPU ", device_));
  }
  return true;
}

cudaStream_t NcclCommunicator::stream_for(bool has_device_buffer) const {
  if (!has_device_buffer || !options_.stream) return resources_.stream;
  return static_cast<cudaStream_t>(options_.stream());
}

void NcclCommunicator::copy_device_to_host(void* to, const void* from, std::size_t bytes) {
  const cudaStream_t stream = stream_for(true);
  resources_.in.reserve(bytes);
  resources_.in.download(from, bytes, stream);
  check(cudaEventRecord(resources_.event, stream), "cudaEventRecord");
  wait_for([&] { return is_reached(resources_.event); });
  std::memcpy(to, resources_.in.host(), bytes);
}

void NcclCommunicator::copy_host_to_device(void* to, const void* from, std::size_t bytes) {
  const cudaStream_t stream = stream_for(true);
  resources_.out.reserve(bytes);
  std::memcpy(resources_.out.host(), from, bytes);
  check(cudaMemcpyAsync(to, resources_.out.host(), bytes, cudaMemcpyHostToDevice, stream),
        "cudaMemcpyAsync");
  check(cudaEventRecord(resources_.event, stream), "cudaEventRecord");
  wait_for([&] { return is_reached(resources_.event); });
}

}  // namespace kantor::nccl
