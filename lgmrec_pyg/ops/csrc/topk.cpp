// The items with the largest inner products for every user, without storing scores:
// a tile of items at a time is held against a few users in registers, and only what
// beats the worst of a user's candidates is looked at again.

#include <algorithm>
#include <cfloat>
#include <cstdint>
#include <vector>

#ifdef __SSE__
#include <immintrin.h>
#endif

#include "kernel.h"

namespace VERSION {
namespace {

constexpr int LANES = REGISTER / 4;
constexpr int VECTORS = LANES == 16 ? 4 : 2;  // Of 32 registers, or of 16.
constexpr int GROUP = 6;                      // Users.
constexpr int64_t TILE = LANES * VECTORS;  // Items.
constexpr int64_t BLOCK = 20 * GROUP;      // Users that meet a tile while in cache.

typedef float Vector __attribute__((vector_size(REGISTER), aligned(4)));

struct Candidate {
  float score;
  int32_t item;
};

// A type of this version's own, so that no version calls the sorting of another.
struct Ascending {
  bool operator()(int64_t a, int64_t b) const { return a < b; }
};

inline bool better(const Candidate &a, const Candidate &b) {
  return a.score > b.score || (a.score == b.score && a.item < b.item);
}

// The best of a user so far, in a buffer that is cut to `k` whenever it is full.
class Best {
 public:
  Best(int64_t k, const int64_t *begin, const int64_t *end)
      : k_(k), excluded_(begin, end) {
    std::sort(excluded_.begin(), excluded_.end(), Ascending());
    found_.reserve(2 * k + TILE);
  }

  float bar() const { return bar_; }

  void add(const float *scores, uint64_t above, int64_t first) {
    for (; above != 0; above &= above - 1) {
      const int j = __builtin_ctzll(above);
      const int64_t item = first + j;
      if (std::binary_search(excluded_.begin(), excluded_.end(), item)) continue;
      found_.push_back({scores[j], static_cast<int32_t>(item)});
    }
    if (static_cast<int64_t>(found_.size()) >= 2 * k_) cut();
  }

  // Items come in order, so what ties with the bar later on is not better.
  void cut() {
    if (static_cast<int64_t>(found_.size()) < k_) return;
    std::nth_element(found_.begin(), found_.begin() + k_ - 1, found_.end(), better);
    found_.resize(k_);
    bar_ = found_.back().score;
  }

  void write(float *scores, int64_t *items) {
    cut();
    std::sort(found_.begin(), found_.end(), better);
    for (size_t j = 0; j < found_.size(); j++) {
      scores[j] = found_[j].score;
      items[j] = found_[j].item;
    }
  }

 private:
  int64_t k_;
  float bar_ = -FLT_MAX;
  std::vector<int64_t> excluded_;
  std::vector<Candidate> found_;
};

// Scores of GROUP users, side by side in `users`, and a tile of items, both with one
// row a column of the embeddings.
inline void score(const float *users, const float *tile, int64_t d,
                  Vector out[GROUP][VECTORS]) {
  Vector sum[GROUP][VECTORS] = {};
  for (int64_t c = 0; c < d; c++) {
    const Vector *item = reinterpret_cast<const Vector *>(tile + c * TILE);
#pragma GCC unroll 8
    for (int g = 0; g < GROUP; g++)
#pragma GCC unroll 8
      for (int v = 0; v < VECTORS; v++) sum[g][v] += users[c * GROUP + g] * item[v];
  }
#pragma GCC unroll 8
  for (int g = 0; g < GROUP; g++)
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; v++) out[g][v] = sum[g][v];
}

// Rows of x, `width` side by side, as d x width; rows that there are none of are 0.
void pack(const float *x, int64_t rows, int64_t d, int64_t width, float *out) {
  for (int64_t c = 0; c < d; c++)
    for (int64_t i = 0; i < width; i++)
      out[c * width + i] = i < rows ? x[i * d + c] : 0;
}

// A bit for every lane above the bar.
inline uint32_t lanes_above(const Vector &x, float bar) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask((__m512)x, _mm512_set1_ps(bar), _CMP_GT_OQ);
#elif defined(__AVX2__)
  return _mm256_movemask_ps(_mm256_cmp_ps((__m256)x, _mm256_set1_ps(bar), _CMP_GT_OQ));
#elif defined(__SSE__)
  return _mm_movemask_ps(_mm_cmpgt_ps((__m128)x, _mm_set1_ps(bar)));
#else
  uint32_t out = 0;
  for (int i = 0; i < LANES; i++) out |= (x[i] > bar) << i;
  return out;
#endif
}

inline uint64_t items_above(const Vector *scores, float bar, int64_t size) {
  uint64_t out = 0;
  for (int v = 0; v < VECTORS; v++)
    out |= static_cast<uint64_t>(lanes_above(scores[v], bar)) << (v * LANES);
  return size < 64 ? out & ((uint64_t{1} << size) - 1) : out;
}

}  // namespace

// Floats that the packed items take.
extern "C" int64_t KERNEL(topk_scratch)(int64_t num_items, int64_t d) {
  return (num_items + TILE - 1) / TILE * TILE * d;
}

// users: U x d, items: I x d, excluded items of a user in rows of a CSR matrix.
// `scores` and `items_out`, U x k, are written to as far as there are items.
extern "C" void KERNEL(topk)(
    const float *users, const float *items, int64_t num_users, int64_t num_items,
    int64_t d, int64_t k, const int64_t *rowptr, const int64_t *col, int num_threads,
    float *scratch, float *scores, int64_t *items_out) {
  const int64_t tiles = (num_items + TILE - 1) / TILE;
  parallel_for(tiles, num_threads, [=](int, int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++)
      pack(items + t * TILE * d, std::min(TILE, num_items - t * TILE), d, TILE,
           scratch + t * TILE * d);
  });
  const int64_t blocks = (num_users + BLOCK - 1) / BLOCK;
  parallel_for(blocks, num_threads, [=](int, int64_t begin, int64_t end) {
    std::vector<float> packed(BLOCK * d);
    for (int64_t first = begin * BLOCK; first < std::min(end * BLOCK, num_users);
         first += BLOCK) {
      const int64_t size = std::min(BLOCK, num_users - first);
      std::vector<Best> best;
      for (int64_t i = first; i < first + size; i++)
        best.emplace_back(k, rowptr ? col + rowptr[i] : nullptr,
                          rowptr ? col + rowptr[i + 1] : nullptr);
      for (int64_t i = 0; i < size; i += GROUP)
        pack(users + (first + i) * d, std::min<int64_t>(GROUP, size - i), d, GROUP,
             &packed[i * d]);
      for (int64_t t = 0; t < tiles; t++) {
        const int64_t width = std::min(TILE, num_items - t * TILE);
        for (int64_t i = 0; i < size; i += GROUP) {
          Vector out[GROUP][VECTORS];
          score(&packed[i * d], scratch + t * TILE * d, d, out);
          for (int64_t g = 0; g < std::min<int64_t>(GROUP, size - i); g++) {
            Best &user = best[i + g];
            const uint64_t above = items_above(out[g], user.bar(), width);
            if (above != 0)
              user.add(reinterpret_cast<float *>(out[g]), above, t * TILE);
          }
        }
      }
      for (int64_t i = 0; i < size; i++)
        best[i].write(scores + (first + i) * k, items_out + (first + i) * k);
    }
  });
}

}  // namespace VERSION
