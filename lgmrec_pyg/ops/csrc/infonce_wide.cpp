// The sum over anchors a of log sum_n exp(<a, k_n>) and its gradients, for keys of
// many columns, of which many entries may be zero. Two passes over the B x N
// similarities, of which a tile at a time stays in cache: one for the sums, one for the
// gradients. Only entries of keys that are listed cost anything.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernel.h"

namespace VERSION {
namespace {

constexpr int LANES = REGISTER / 4;
constexpr int VECTORS = 8;  // As many sums as leave registers for the rest.
constexpr int64_t BLOCK = LANES * VECTORS;  // Anchors, side by side in vectors.
constexpr int64_t TILE = 64;                // Keys.
constexpr float LOG2E = 1.44269504f;

typedef float Vector __attribute__((vector_size(REGISTER)));
typedef int32_t Integers __attribute__((vector_size(REGISTER)));

// 2^x for -126 < x < 127, to 2 ulp.
inline Vector exp2_bounded(Vector x) {
  // Conversions cut off, which is the floor of what is positive.
  const Integers whole = __builtin_convertvector(x + 127.5f, Integers) - 127;
  const Vector f = x - __builtin_convertvector(whole, Vector);
  Vector p = f * 1.535336188e-4f + 1.339887440e-3f;
  p = p * f + 9.618437357e-3f;
  p = p * f + 5.550332471e-2f;
  p = p * f + 2.402264791e-1f;
  p = p * f + 6.931472028e-1f;
  p = p * f + 1.0f;
  return reinterpret_cast<Vector>(reinterpret_cast<Integers>(p) + (whole << 23));
}

struct Entry {
  int32_t index;
  float value;
};

// The entries of a tile of keys that count, by key and by column.
struct Tile {
  explicit Tile(int64_t k)
      : by_key(TILE * k), by_column(TILE * k), column_begin(k + 1) {}

  void load(const float *keys, int64_t size, int64_t k, bool skip_zeros) {
    int32_t count = 0;
    std::fill(column_begin.begin(), column_begin.end(), 0);
    for (int64_t j = 0; j < size; j++) {
      key_begin[j] = count;
      for (int64_t c = 0; c < k; c++) {
        const float value = keys[j * k + c];
        if (skip_zeros && value == 0.0f) continue;
        by_key[count++] = {static_cast<int32_t>(c), value};
        column_begin[c + 1]++;
      }
    }
    key_begin[size] = count;
    for (int64_t c = 0; c < k; c++) column_begin[c + 1] += column_begin[c];
    std::vector<int32_t> next(column_begin.begin(), column_begin.end() - 1);
    for (int64_t j = 0; j < size; j++)
      for (int32_t i = key_begin[j]; i < key_begin[j + 1]; i++)
        by_column[next[by_key[i].index]++] = {static_cast<int32_t>(j), by_key[i].value};
  }

  std::vector<Entry> by_key, by_column;
  std::vector<int32_t> column_begin;
  int32_t key_begin[TILE + 1];
};

// 2^(<a, k> - shift) for a block of anchors, of which `block` holds K x VECTORS, and
// one key.
inline void exponentials(const Vector *block, const Entry *begin, const Entry *end,
                         float shift, Vector out[VECTORS]) {
  Vector x[VECTORS];
  for (int v = 0; v < VECTORS; v++) x[v] = Vector{} - shift;
  for (const Entry *entry = begin; entry < end; entry++)
    for (int v = 0; v < VECTORS; v++)
      x[v] += block[entry->index * VECTORS + v] * entry->value;
  for (int v = 0; v < VECTORS; v++) out[v] = exp2_bounded(x[v]);
}

inline float sum_of(const Vector &x) {
  float out = 0;
  for (int i = 0; i < LANES; i++) out += x[i];
  return out;
}

void add_sums(const Tile &tile, int64_t size, const Vector *anchors, int64_t blocks,
              int64_t k, float shift, Vector *sums) {
  for (int64_t b = 0; b < blocks; b++) {
    Vector total[VECTORS] = {}, e[VECTORS];
    for (int64_t j = 0; j < size; j++) {
      exponentials(anchors + b * k * VECTORS, &tile.by_key[tile.key_begin[j]],
                   &tile.by_key[tile.key_begin[j + 1]], shift, e);
      for (int v = 0; v < VECTORS; v++) total[v] += e[v];
    }
    for (int v = 0; v < VECTORS; v++) sums[b * VECTORS + v] += total[v];
  }
}

// `grads` gets one vector of partial sums for every entry of the tile.
void add_gradients(const Tile &tile, int64_t size, const Vector *anchors,
                   int64_t blocks, int64_t k, float shift, const Vector *inverse,
                   Vector *shares, Vector *grad_anchors, Vector *grads) {
  for (int64_t b = 0; b < blocks; b++) {
    const Vector *block = anchors + b * k * VECTORS;
    for (int64_t j = 0; j < size; j++) {
      const int32_t begin = tile.key_begin[j], end = tile.key_begin[j + 1];
      Vector p[VECTORS];
      exponentials(block, &tile.by_key[begin], &tile.by_key[end], shift, p);
      for (int v = 0; v < VECTORS; v++) {
        p[v] *= inverse[b * VECTORS + v];
        shares[j * VECTORS + v] = p[v];
      }
      for (int32_t i = begin; i < end; i++) {
        const Vector *a = block + tile.by_key[i].index * VECTORS;
        Vector grad = grads[i];
        for (int v = 0; v < VECTORS; v++) grad += p[v] * a[v];
        grads[i] = grad;
      }
    }
    for (int64_t c = 0; c < k; c++) {
      Vector *out = grad_anchors + (b * k + c) * VECTORS, sum[VECTORS];
      for (int v = 0; v < VECTORS; v++) sum[v] = out[v];
      for (int32_t i = tile.column_begin[c]; i < tile.column_begin[c + 1]; i++)
        for (int v = 0; v < VECTORS; v++)
          sum[v] += shares[tile.by_column[i].index * VECTORS + v] *
                    tile.by_column[i].value;
      for (int v = 0; v < VECTORS; v++) out[v] = sum[v];
    }
  }
}

struct alignas(REGISTER) Line {
  Vector x;
};

}  // namespace

// anchors: B x K, keys: N x K, any K. With `skip_zeros`, zeros of keys are left out,
// and their gradients are zero.
extern "C" void KERNEL(infonce_wide)(
    const float *anchors, const float *keys, int64_t b, int64_t n, int k, float bound,
    bool skip_zeros, int num_threads, float *sums, float *grad_anchors,
    float *grad_keys) {
  const int64_t blocks = (b + BLOCK - 1) / BLOCK, tiles = (n + TILE - 1) / TILE;
  const int64_t rows = blocks * VECTORS, width = rows * k;
  const float shift = bound * LOG2E;
  std::vector<Line> packed(width), partial(num_threads * rows),
      grads(num_threads * width);
  float *pack = reinterpret_cast<float *>(packed.data());
  for (int64_t i = 0; i < b; i++)
    for (int64_t c = 0; c < k; c++)
      pack[(i / BLOCK * k + c) * BLOCK + i % BLOCK] = anchors[i * k + c] * LOG2E;
  const Vector *anchor = &packed.data()->x;

  parallel_for(tiles, num_threads, [&](int t, int64_t begin, int64_t end) {
    Tile tile(k);
    for (int64_t j = begin * TILE; j < std::min(end * TILE, n); j += TILE) {
      const int64_t size = std::min(TILE, n - j);
      tile.load(keys + j * k, size, k, skip_zeros);
      add_sums(tile, size, anchor, blocks, k, shift, &partial[t * rows].x);
    }
  });
  for (int t = 1; t < num_threads; t++)
    for (int64_t i = 0; i < rows; i++) partial[i].x += partial[t * rows + i].x;
  float *total = reinterpret_cast<float *>(partial.data());
  std::copy(total, total + b, sums);
  for (int64_t i = 0; i < rows * LANES; i++) total[i] = i < b ? 1 / total[i] : 0.0f;

  parallel_for(tiles, num_threads, [&](int t, int64_t begin, int64_t end) {
    Tile tile(k);
    std::vector<Line> shares(TILE * VECTORS), out(TILE * k);
    for (int64_t j = begin * TILE; j < std::min(end * TILE, n); j += TILE) {
      const int64_t size = std::min(TILE, n - j);
      tile.load(keys + j * k, size, k, skip_zeros);
      std::fill(out.begin(), out.begin() + tile.key_begin[size], Line{});
      add_gradients(tile, size, anchor, blocks, k, shift, &partial.data()->x,
                    &shares.data()->x, &grads[t * width].x, &out.data()->x);
      float *rows_out = grad_keys + j * k;
      std::fill(rows_out, rows_out + size * k, 0.0f);
      for (int64_t row = 0; row < size; row++)
        for (int32_t i = tile.key_begin[row]; i < tile.key_begin[row + 1]; i++)
          rows_out[row * k + tile.by_key[i].index] = sum_of(out[i].x) / LOG2E;
    }
  });
  for (int t = 1; t < num_threads; t++)
    for (int64_t i = 0; i < width; i++) grads[i].x += grads[t * width + i].x;
  const float *grad = reinterpret_cast<float *>(grads.data());
  for (int64_t i = 0; i < b; i++)
    for (int64_t c = 0; c < k; c++)
      grad_anchors[i * k + c] = grad[(i / BLOCK * k + c) * BLOCK + i % BLOCK];
}

}  // namespace VERSION
