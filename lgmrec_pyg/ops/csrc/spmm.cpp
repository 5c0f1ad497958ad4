// The product of a sparse matrix in CSR format and a dense one, in a pass over the
// edges for every block of columns, whose sums stay in registers.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>

#include "kernel.h"

namespace VERSION {
namespace {

constexpr int64_t AHEAD = 16;  // Edges from a fetch of a row to its use.

template <typename Real, int LANES>
struct Pack {
  typedef Real type __attribute__((vector_size(LANES * sizeof(Real))));
};

template <typename Real>
struct Pack<Real, 1> {
  typedef Real type;
};

template <typename Real, typename Index>
struct Rows {
  const Index *rowptr, *col;
  const Real *value;  // Ones if null.
  const Real *x;
  int64_t num_edges, num_sources, width;
  Real *out;
};

constexpr int64_t GOOD = -1, BAD_OFFSETS = -2;

// Columns [first, first + N * LANES) of rows [begin, end). Returns an edge from a
// source that does not exist, BAD_OFFSETS or GOOD.
template <int N, int LANES, bool WEIGHTED, typename Real, typename Index>
int64_t run(const Rows<Real, Index> &rows, int64_t first, int64_t begin, int64_t end) {
  using Vector = typename Pack<Real, LANES>::type;
  const Real *x = rows.x + first, *values = rows.value;
  const Index *col = rows.col;
  const int64_t width = rows.width, last = rows.num_edges - 1;
  const uint64_t num_sources = rows.num_sources;
  int64_t e = rows.rowptr[begin];
  if (e < 0) return BAD_OFFSETS;
  for (int64_t i = begin; i < end; i++) {
    Vector sum[N] = {};
    const int64_t stop = rows.rowptr[i + 1];
    if (stop < e || stop > rows.num_edges) return BAD_OFFSETS;
    for (; e < stop; e++) {
      const Real *later = x + col[std::min(e + AHEAD, last)] * width;
      for (size_t byte = 0; byte < sizeof sum; byte += 64)
        __builtin_prefetch(reinterpret_cast<const char *>(later) + byte);
      const uint64_t source = col[e];
      if (source >= num_sources) return e;
      const Real value = WEIGHTED ? values[e] : 1;
      for (int n = 0; n < N; n++) {
        Vector part;
        std::memcpy(&part, x + source * width + n * LANES, sizeof part);
        sum[n] += part * value;
      }
    }
    std::memcpy(rows.out + i * width + first, sum, sizeof sum);
  }
  return GOOD;
}

template <int LANES, bool WEIGHTED, typename Real, typename Index>
int64_t run_all(const Rows<Real, Index> &rows, int64_t begin, int64_t end) {
  int64_t first = 0, state = GOOD;
  const auto fits = [&](int64_t columns) {
    return state == GOOD && rows.width - first >= columns;
  };
  const auto step = [&](auto run, int64_t columns) {
    state = run(rows, first, begin, end);
    first += columns;
  };
  while (fits(8 * LANES)) step(run<8, LANES, WEIGHTED, Real, Index>, 8 * LANES);
  if (fits(4 * LANES)) step(run<4, LANES, WEIGHTED, Real, Index>, 4 * LANES);
  if (fits(2 * LANES)) step(run<2, LANES, WEIGHTED, Real, Index>, 2 * LANES);
  if (fits(LANES)) step(run<1, LANES, WEIGHTED, Real, Index>, LANES);
  if (fits(LANES / 2)) step(run<1, LANES / 2, WEIGHTED, Real, Index>, LANES / 2);
  if (fits(4)) step(run<1, 4, WEIGHTED, Real, Index>, 4);
  while (fits(1)) step(run<1, 1, WEIGHTED, Real, Index>, 1);
  return state;
}

template <typename Real, typename Index>
int64_t product(const void *rowptr, const void *col, const void *value, const void *x,
                int64_t num_rows, int64_t num_sources, int64_t num_edges,
                int64_t width, int num_threads, void *out) {
  const Index *offsets = static_cast<const Index *>(rowptr);
  if (offsets[0] != 0 || offsets[num_rows] != num_edges) return BAD_OFFSETS;
  const Rows<Real, Index> rows{offsets,
                               static_cast<const Index *>(col),
                               static_cast<const Real *>(value),
                               static_cast<const Real *>(x),
                               num_edges,
                               num_sources,
                               width,
                               static_cast<Real *>(out)};
  // Rows count as well as edges: threads get equal sums of both.
  const auto start = [=](int64_t work) {
    int64_t low = 0, high = num_rows;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (offsets[middle] + middle < work) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  constexpr int LANES = REGISTER / sizeof(Real);
  std::atomic<int64_t> state{GOOD};
  parallel_for(num_edges + num_rows, num_threads, [&](int, int64_t begin, int64_t end) {
    const int64_t own = value ? run_all<LANES, true>(rows, start(begin), start(end))
                               : run_all<LANES, false>(rows, start(begin), start(end));
    if (own != GOOD) state = own;
  });
  return state;
}

}  // namespace

// rowptr and col: int64, or int32 if `narrow`; value (or null), x and out: float, or
// double if `wide`. Returns an edge from a source that does not exist, -2 if rows do
// not follow each other, or -1.
extern "C" int64_t KERNEL(spmm)(
    const void *rowptr, const void *col, const void *value, const void *x,
    int64_t num_rows, int64_t num_sources, int64_t num_edges, int64_t width,
    bool narrow, bool wide, int num_threads, void *out) {
  const auto run =
      narrow ? (wide ? product<double, int32_t> : product<float, int32_t>)
             : (wide ? product<double, int64_t> : product<float, int64_t>);
  return run(rowptr, col, value, x, num_rows, num_sources, num_edges, width,
             num_threads, out);
}

}  // namespace VERSION
