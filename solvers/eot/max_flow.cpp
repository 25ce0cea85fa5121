#include "solvers/eot/max_flow.hpp"

#include <algorithm>
#include <numeric>

namespace kantor {

MaxFlow::MaxFlow(std::vector<double> rows, std::vector<double> columns, double dust)
    : num_rows_(rows.size()), lacked_(std::move(rows)), dust_(dust) {
  lacked_.insert(lacked_.end(), columns.begin(), columns.end());
  pairs_of_.resize(lacked_.size());
}

void MaxFlow::add(const CarriedMass& pair) {
  pairs_of_[node_of_row(pair.row)].push_back(pairs_.size());
  pairs_of_[node_of_column(pair.column)].push_back(pairs_.size());
  pairs_.push_back(pair);
}

double MaxFlow::left() const {
  const auto columns = lacked_.begin() + static_cast<std::ptrdiff_t>(num_rows_);
  return std::min(std::accumulate(lacked_.begin(), columns, 0.0),
                  std::accumulate(columns, lacked_.end(), 0.0));
}

bool MaxFlow::augment() {
  while (find_levels()) {
    next_.assign(lacked_.size(), 0);
    for (std::size_t row = 0; row < num_rows_; ++row) {
      if (lacked_[row] > dust_) push_from(row);
      if (num_steps_ > kMostSteps) return false;
    }
  }
  return true;
}

std::size_t MaxFlow::other_end(std::size_t pair, std::size_t node) const {
  return is_row(node) ? node_of_column(pairs_[pair].column) : node_of_row(pairs_[pair].row);
}

bool MaxFlow::can_carry(std::size_t pair, std::size_t from) const {
  return is_row(from) || pairs_[pair].mass > dust_;
}

/// @return whether a column that lacks mass is reached.
bool MaxFlow::find_levels() {
  level_.assign(lacked_.size(), -1);
  std::vector<std::size_t> reached;
  for (std::size_t row = 0; row < num_rows_; ++row) {
    if (lacked_[row] <= dust_) continue;
    level_[row] = 0;
    reached.push_back(row);
  }
  bool is_found = false;
  for (std::size_t k = 0; k < reached.size(); ++k) {
    const std::size_t from = reached[k];
    num_steps_ += std::ssize(pairs_of_[from]);
    for (const std::size_t pair : pairs_of_[from]) {
      const std::size_t to = other_end(pair, from);
      if (level_[to] >= 0 || !can_carry(pair, from)) continue;
      level_[to] = level_[from] + 1;
      is_found = is_found || (!is_row(to) && lacked_[to] > dust_);
      reached.push_back(to);
    }
  }
  return is_found;
}

/// Along pairs that lead one level on, until none is left for this row.
void MaxFlow::push_from(std::size_t row) {
  std::vector<std::size_t> path;
  std::size_t at = row;
  while (true) {
    if (!is_row(at) && lacked_[at] > dust_) {
      move(row, at, path);
      if (lacked_[row] <= dust_) return;
      path.clear();
      at = row;
    }
    std::size_t& next = next_[at];
    const std::vector<std::size_t>& pairs = pairs_of_[at];
    while (next < pairs.size() &&
           !(level_[other_end(pairs[next], at)] == level_[at] + 1 && can_carry(pairs[next], at))) {
      ++next;
      ++num_steps_;
    }
    ++num_steps_;
    if (next < pairs.size()) {
      path.push_back(pairs[next]);
      at = other_end(path.back(), at);
    } else if (path.empty()) {
      return;
    } else {
      at = other_end(path.back(), at);
      path.pop_back();
      ++next_[at];  // nothing leads on from there
    }
  }
}

void MaxFlow::move(std::size_t row, std::size_t column, const std::vector<std::size_t>& path) {
  double mass = std::min(lacked_[row], lacked_[column]);
  for (std::size_t k = 1; k < path.size(); k += 2) mass = std::min(mass, pairs_[path[k]].mass);
  for (std::size_t k = 0; k < path.size(); ++k) {
    pairs_[path[k]].mass += k % 2 == 0 ? mass : -mass;  // forth and back
  }
  lacked_[row] -= mass;
  lacked_[column] -= mass;
}

}  // namespace kantor
