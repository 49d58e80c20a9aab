//! Generations of attention over a cache, each checked and timed in one thread, for heads of 128
//! elements of which two share a key/value head.
//!
//! 1. `attend_rows`: keys, values and arithmetic in `f32`.
//! 2. `attend_blocks`, lanes: a cache in `bf16`, chains of `f32`.
//! 3. `attend_blocks`, tiles: the same bits by `tdpbf16ps`, 32 rows at a time.
//! 4. `attend_blocks`, few rows: lanes again, two columns of tiles and up to four rows at a time,
//!    the blocks side by side in large pages and asked for two blocks before they are used.
//!
//! Reading: the last tokens of 2048, as part of the tile unit's peak (measured just before,
//! with operands in registers). Writing: one token, in bytes of cache per second; from
//! memory at depth 4096 with 128 heads, each of which is read in turn, and from the second cache.
//! Deep: the same by two threads, which share the heads, beside a plain read of as many bytes; both
//! take turns.
//!
//! Tried and dropped, as they gained nothing: weights computed between the steps of the tile unit
//! (the same time), scores computed twice so as not to leave the first cache (a quarter more).
//!
//! `cargo bench -p allod-kernels --bench attention [read|write|deep]`.
#![allow(clippy::print_stdout, missing_docs)]

use allod_kernels::{
    BlockForm, BlockLayout, BlockMemory, Blocks, CacheLayout, HeadRows, Isa, KeyValues, Scoring,
    Scratch, Visit, attend_blocks, attend_rows, tile_multiplications,
};
use std::ops::Range;
use std::time::{Duration, Instant};

const HEAD: usize = 128;
const GROUP: usize = 2;
const PROMPT: usize = 2048;
const DEPTH: usize = 4096;
const HEADS: usize = 8;
const LAYERS: usize = 16;
const SCORING: Scoring = Scoring { scale: 0.088, cap: None, sinks: &[] };

fn main() {
    let isas = [Isa::Avx2, Isa::detect()];
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |part: &str| only.as_ref().is_none_or(|only| only == part);
    if wanted("read") {
        read(&isas);
    }
    if wanted("write") {
        write(&isas, "memory", DEPTH, HEADS * LAYERS);
        write(&isas, "the second cache", DEPTH / 4, 1);
        share();
    }
    if wanted("deep") {
        [1, 2, 4, 8].into_iter().for_each(deep);
    }
}

/// Work of two threads on parts of one thing, in seconds.
fn by_two(work: impl Fn(usize) + Sync) -> f64 {
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| work(1));
        work(0);
    });
    start.elapsed().as_secs_f64()
}

fn deep(group: usize) {
    let (heads, q) = (HEADS * LAYERS, values(group * HEAD, 7));
    let cache = Rounded::new(DEPTH, heads);
    let plain: Vec<u64> = vec![1; heads * DEPTH * HEAD / 2];
    let bytes = size_of_val(&plain[..]) as f64;
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..10 {
        times[0].push(by_two(|part| {
            let sum = plain[part * plain.len() / 2..][..plain.len() / 2].iter().sum::<u64>();
            assert_eq!(sum, plain.len() as u64 / 2, "a sum of ones");
        }));
        for (times, isa) in times[1..].iter_mut().zip([Isa::Avx2, Isa::detect()]) {
            times.push(by_two(|part| {
                let (mut out, mut scratch) = (vec![0.0; q.len()], Scratch::new());
                for head in (part..heads).step_by(2) {
                    cache.attend(isa, head, &q, DEPTH - 1..DEPTH, &mut out, &mut scratch);
                }
            }));
        }
    }
    let rates = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        bytes / times[times.len() / 2] / 1e9
    });
    let [read, avx2, best] = rates;
    println!(
        "deep, {group} queries a head: read {read:.1} GB/s, attend_blocks by avx2 {avx2:.1}, by {} \
         {best:.1}, {:.2} of the time of a read",
        Isa::detect().name(),
        read / best
    );
}

/// What the tile unit does at best, in operations per second, now.
fn peak() -> f64 {
    let rates = (0..20).map(|_| tile_multiplications(Duration::from_millis(2)).unwrap_or(f64::NAN));
    2.0 * rates.fold(0.0, f64::max)
}

fn read(isas: &[Isa]) {
    let peak = peak();
    println!("peak of the tile unit: {:.2} TFLOP/s", peak / 1e12);
    let (old, new) = (Floats::new(PROMPT, 1), Rounded::new(PROMPT, 1));
    for tokens in [16, 32, 64] {
        let q = values(tokens * GROUP * HEAD, 7);
        let seen = PROMPT - tokens..PROMPT;
        let work = ((PROMPT - tokens / 2) * tokens * GROUP * HEAD * 4) as f64;
        let report = |what: &str, seconds: f64| {
            let part = work / seconds / peak * 100.0;
            println!("read {tokens} at {PROMPT}, {what}: {:.3} ms, {part:.1} %", seconds * 1e3);
        };
        let body = |_, out: &mut [f32], scratch: &mut Scratch| {
            old.attend(0, &q, seen.clone(), out, scratch);
        };
        let (exact, seconds) = time(30, body, q.len());
        report("attend_rows", seconds);
        let mut first: Option<Vec<f32>> = None;
        for isa in isas {
            let body = |_, out: &mut [f32], scratch: &mut Scratch| {
                new.attend(*isa, 0, &q, seen.clone(), out, scratch);
            };
            let (out, seconds) = time(100, body, q.len());
            check(&exact, &out, first.get_or_insert(out.clone()));
            report(&format!("attend_blocks by {}", isa.name()), seconds);
        }
    }
}

fn write(isas: &[Isa], place: &str, depth: usize, heads: usize) {
    let q = values(GROUP * HEAD, 7);
    let report = |what: &str, seconds: f64, width: usize| {
        let rate = (depth * HEAD * 2 * width) as f64 / seconds / 1e9;
        println!("write at {depth} from {place}, {what}: {:.1} us, {rate:.1} GB/s", seconds * 1e6);
    };
    let new = Rounded::new(depth, heads);
    for isa in isas {
        let body = |repeat, out: &mut [f32], scratch: &mut Scratch| {
            new.attend(*isa, repeat % heads, &q, depth - 1..depth, out, scratch);
        };
        let (_, seconds) = time(4 * HEADS * LAYERS, body, q.len());
        report(&format!("attend_blocks by {}", isa.name()), seconds, 2);
    }
    drop(new);
    let old = Floats::new(depth, heads);
    let body = |repeat, out: &mut [f32], scratch: &mut Scratch| {
        old.attend(repeat % heads, &q, depth - 1..depth, out, scratch);
    };
    let (_, seconds) = time(2 * HEADS * LAYERS, body, q.len());
    report("attend_rows", seconds, 4);
}

/// Sixteen sequences that share their first 512 positions and have 32 of their own: each alone, and
/// all together.
fn share() {
    const SEQUENCES: usize = 16;
    let (shared, heads) = (Rounded::new(512, HEADS * LAYERS), HEADS * LAYERS);
    let own: Vec<Blocks> =
        (0..SEQUENCES).map(|_| Rounded::new(32, heads).blocks.remove(0)).collect();
    let q = values(SEQUENCES * GROUP * HEAD, 7);
    let attend =
        |head: usize, tokens: Range<usize>, q: &[f32], out: &mut [f32], scratch: &mut _| {
            let all = 0..tokens.len();
            let mut visits: Vec<Visit> = (shared.blocks.iter().enumerate())
                .map(|(index, all_heads)| Visit {
                    block: all_heads.block(head),
                    index,
                    tokens: all.clone(),
                })
                .collect();
            for (place, sequence) in tokens.enumerate() {
                let block = own[sequence].block(head);
                visits.push(Visit { block, index: 16, tokens: place..place + 1 });
            }
            let seen = vec![0..544; all.len()];
            attend_blocks(Isa::detect(), q, &visits, &seen, &SCORING, out, scratch);
        };
    let width = GROUP * HEAD;
    let alone = |repeat: usize, out: &mut [f32], scratch: &mut Scratch| {
        for (token, (q, out)) in q.chunks(width).zip(out.chunks_mut(width)).enumerate() {
            attend(repeat % heads, token..token + 1, q, out, scratch);
        }
    };
    let together = |repeat: usize, out: &mut [f32], scratch: &mut Scratch| {
        attend(repeat % heads, 0..SEQUENCES, &q, out, scratch);
    };
    let (first, apart) = time(2 * heads, alone, q.len());
    let (second, at_once) = time(2 * heads, together, q.len());
    check(&first, &second, &first);
    println!(
        "write {SEQUENCES} that share 512 positions: each alone {:.1} us, together {:.1} us",
        apart * 1e6,
        at_once * 1e6
    );
}

/// What `body` gives, and the tenth part of its seconds from below: short as it is, it is then
/// seldom interrupted by others. It gets the number of the repetition.
fn time(
    repeats: usize,
    mut body: impl FnMut(usize, &mut [f32], &mut Scratch),
    len: usize,
) -> (Vec<f32>, f64) {
    let (mut out, mut scratch) = (vec![0.0; len], Scratch::new());
    let mut times: Vec<f64> = (0..repeats)
        .map(|repeat| {
            let start = Instant::now();
            body(repeat, &mut out, &mut scratch);
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (out, times[repeats / 10])
}

/// Near the exact result, and the same bits as the first of its kind.
fn check(exact: &[f32], found: &[f32], first: &[f32]) {
    let far = exact.iter().zip(found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far < 0.02, "off by {far}");
    assert!(found.iter().zip(first).all(|(a, b)| a.to_bits() == b.to_bits()), "other bits");
}

fn values(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Keys and values in `f32`.
struct Floats {
    layout: CacheLayout,
    /// By head.
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
}

impl Floats {
    fn new(positions: usize, heads: usize) -> Floats {
        let layout = CacheLayout::new(HEAD);
        let [k, v] = [1, 2].map(|seed| values(positions * HEAD, seed));
        let mut keys = vec![0.0; layout.keys_len(positions)];
        let mut own = vec![0.0; layout.values_len(positions)];
        for position in 0..positions {
            layout.write_key(&mut keys, position, &k[position * HEAD..][..HEAD]);
            layout.write_value(&mut own, position, &v[position * HEAD..][..HEAD]);
        }
        Floats { layout, keys: vec![keys; heads], values: vec![own; heads] }
    }

    fn attend(
        &self,
        head: usize,
        q: &[f32],
        tokens: Range<usize>,
        out: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let cache =
            KeyValues { layout: self.layout, keys: &self.keys[head], values: &self.values[head] };
        let seen: Vec<Range<usize>> = tokens.map(|token| 0..token + 1).collect();
        attend_rows(Isa::detect(), q, &cache, &seen, &SCORING, out, scratch);
    }
}

/// Keys and values in `bf16`.
struct Rounded {
    /// By 32 positions.
    blocks: Vec<Blocks>,
}

impl Rounded {
    fn new(positions: usize, heads: usize) -> Rounded {
        let [k, v] = [1, 2].map(|seed| values(positions * HEAD, seed));
        let memory = BlockMemory::new(BlockLayout::new(BlockForm::Bf16, HEAD), heads);
        let blocks = (0..positions).step_by(32).map(|start| {
            let mut blocks = memory.blocks();
            for mut block in blocks.blocks_mut(0..heads) {
                let [k, v] =
                    [&k, &v].map(|x| HeadRows { values: &x[start * HEAD..], stride: HEAD });
                block.write(Isa::detect(), 0, 32, k, v);
            }
            blocks
        });
        Rounded { blocks: blocks.collect() }
    }

    fn attend(
        &self,
        isa: Isa,
        head: usize,
        q: &[f32],
        tokens: Range<usize>,
        out: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let count = tokens.len();
        let blocks = self.blocks[..tokens.end.div_ceil(32)].iter().enumerate();
        let visits: Vec<Visit> = blocks
            .map(|(index, all)| Visit { block: all.block(head), index, tokens: 0..count })
            .collect();
        let seen: Vec<Range<usize>> = tokens.map(|token| 0..token + 1).collect();
        attend_blocks(isa, q, &visits, &seen, &SCORING, out, scratch);
    }
}
