// The six verbs as non-blocking MPI collectives, piece by piece where counts exceed MPI's int.
// Shapes: P ranks; part [n], all [P, n].

#include <algorithm>
#include <cstring>

#include "distributed/mpi/mpi_communicator.hpp"

namespace kantor::mpi {
namespace {

// Beyond the count limit, gathers and scatters go piece by piece through a scratch of this size.
constexpr std::int64_t kMaxScratchCount = std::int64_t{1} << 24;

const void* at(const void* buffer, std::int64_t index, ElementType type) {
  return static_cast<const std::byte*>(buffer) + index * element_bytes(type);
}
void* at(void* buffer, std::int64_t index, ElementType type) {
  return static_cast<std::byte*>(buffer) + index * element_bytes(type);
}

MPI_Datatype mpi_type(ElementType type) {
  switch (type) {
    case ElementType::float32:
      return MPI_FLOAT;
    case ElementType::float64:
      return MPI_DOUBLE;
    case ElementType::int32:
      return MPI_INT32_T;
    case ElementType::int64:
      return MPI_INT64_T;
    case ElementType::byte:
      break;
  }
  return MPI_BYTE;
}

}  // namespace

MPI_Op MpiCommunicator::mpi_op(ReduceOp op, ElementType type) const {
  if (op == ReduceOp::sum) return MPI_SUM;
  if (type == ElementType::float32) return max_float32_.get();
  if (type == ElementType::float64) return max_float64_.get();
  return MPI_MAX;
}

/// How many elements of each rank's part one MPI call can carry.
std::int64_t MpiCommunicator::piece_of_parts(std::int64_t part_count) const {
  // The whole counts, not the part: some versions compute displacements in int.
  if (part_count <= max_count_ / size_) return part_count;
  return std::max<std::int64_t>(1, std::min(max_count_, kMaxScratchCount) / size_);
}

std::byte* MpiCommunicator::stage(std::int64_t count, ElementType type) {
  const auto bytes = static_cast<std::size_t>(count * element_bytes(type));
  if (staging_->pieces.size() < bytes) staging_->pieces.resize(bytes);
  return staging_->pieces.data();
}

void MpiCommunicator::do_all_reduce(void* buffer, std::int64_t count, ElementType type, ReduceOp op,
                                    const Call& call) {
  InFlight flight(*this, call);
  for (std::int64_t first = 0; first < count; first += max_count_) {
    const auto piece = static_cast<int>(std::min(max_count_, count - first));
    MPI_Request request = MPI_REQUEST_NULL;
    // In place, Open MPI reduces along one tree and broadcasts: the order of each element's sum
    // depends on the number of ranks alone, not on where the element lies in the buffer.
    flight.finish(MPI_Iallreduce(MPI_IN_PLACE, at(buffer, first, type), piece, mpi_type(type),
                                 mpi_op(op, type), data_.get(), &request),
                  "MPI_Iallreduce", request);
  }
}

void MpiCommunicator::do_all_gather(const void* part, void* all, std::int64_t part_count,
                                    ElementType type, const Call& call) {
  InFlight flight(*this, call);
  if (part_count == 0) return;
  const std::int64_t largest = piece_of_parts(part_count);
  const bool is_whole = largest == part_count;
  void* target = is_whole ? all : stage(largest * size_, type);  // [size, piece]
  for (std::int64_t first = 0; first < part_count; first += largest) {
    const std::int64_t piece = std::min(largest, part_count - first);
    MPI_Request request = MPI_REQUEST_NULL;
    flight.finish(
        MPI_Iallgather(at(part, first, type), static_cast<int>(piece), mpi_type(type), target,
                       static_cast<int>(piece), mpi_type(type), data_.get(), &request),
        "MPI_Iallgather", request);
    for (int r = 0; !is_whole && r < size_; ++r) {
      std::memcpy(at(all, r * part_count + first, type), at(target, r * piece, type),
                  static_cast<std::size_t>(piece * element_bytes(type)));
    }
  }
}

void MpiCommunicator::do_reduce_scatter(const void* all, void* part, std::int64_t part_count,
                                        ElementType type, const Call& call) {
  InFlight flight(*this, call);
  if (part_count == 0) return;
  const std::int64_t largest = piece_of_parts(part_count);
  const bool is_whole = largest == part_count;
  std::byte* staged = is_whole ? nullptr : stage(largest * size_, type);  // [size, piece]
  for (std::int64_t first = 0; first < part_count; first += largest) {
    const std::int64_t piece = std::min(largest, part_count - first);
    for (int r = 0; !is_whole && r < size_; ++r) {
      std::memcpy(at(staged, r * piece, type), at(all, r * part_count + first, type),
                  static_cast<std::size_t>(piece * element_bytes(type)));
    }
    MPI_Request request = MPI_REQUEST_NULL;
    flight.finish(MPI_Ireduce_scatter_block(is_whole ? all : staged, at(part, first, type),
                                            static_cast<int>(piece), mpi_type(type),
                                            mpi_op(ReduceOp::sum, type), data_.get(), &request),
                  "MPI_Ireduce_scatter_block", request);
  }
}

void MpiCommunicator::do_broadcast(void* buffer, std::int64_t count, ElementType type, int root,
                                   const Call& call) {
  InFlight flight(*this, call);
  for (std::int64_t first = 0; first < count; first += max_count_) {
    const auto piece = static_cast<int>(std::min(max_count_, count - first));
    MPI_Request request = MPI_REQUEST_NULL;
    flight.finish(
        MPI_Ibcast(at(buffer, first, type), piece, mpi_type(type), root, data_.get(), &request),
        "MPI_Ibcast", request);
  }
}

void MpiCommunicator::do_barrier(const Call& call) {
  InFlight flight(*this, call);
  MPI_Request request = MPI_REQUEST_NULL;
  flight.finish(MPI_Ibarrier(control_.get(), &request), "MPI_Ibarrier", request);
}

std::int64_t MpiCommunicator::do_agree(std::int64_t value, const Call& call) {
  InFlight flight(*this, call);
  MPI_Request request = MPI_REQUEST_NULL;
  staging_->agreement = value;
  flight.finish(MPI_Iallreduce(MPI_IN_PLACE, &staging_->agreement, 1, MPI_INT64_T, MPI_MAX,
                               control_.get(), &request),
                "MPI_Iallreduce", request);
  return staging_->agreement;
}

}  // namespace kantor::mpi
