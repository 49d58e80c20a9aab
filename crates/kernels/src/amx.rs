//! AMX: the tile unit, detected and driven through inline assembly (its intrinsics are not stable).
#![allow(unsafe_code)] // assembly; callers check bounds and processor first

use crate::bf16_product::{Block, Start};
use crate::coded_tiles::Square;
use crate::packed::Tile;
use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::sync::OnceLock;

/// Whether this processor has bf16 tiles and this process may use them. Asks the processor and the
/// system once; on Linux the system must be asked for permission, which then holds for the process.
pub(crate) fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| has_tiles() && system_saves_tiles() && permitted())
}

fn has_tiles() -> bool {
    if __cpuid_count(0, 0).eax < 7 {
        return false;
    }
    const BF16: u32 = 1 << 22;
    const TILE: u32 = 1 << 24;
    __cpuid_count(7, 0).edx & (BF16 | TILE) == BF16 | TILE
}

/// Whether the system saves the tile registers when it switches threads.
fn system_saves_tiles() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    const TILES: u32 = 3 << 17;
    if __cpuid_count(1, 0).ecx & OSXSAVE == 0 {
        return false;
    }
    let low: u32;
    // SAFETY: OSXSAVE says that `xgetbv` exists; it reads a control register and nothing else.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") _, options(nomem, nostack));
    }
    low & TILES == TILES
}

/// `arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)` (Linux, Documentation/arch/x86/xstate).
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XFEATURE_XTILEDATA: u64 = 18;
    let result: i64;
    // SAFETY: this system call takes two numbers and touches no memory of the process.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

/// Eight tiles of 16 rows of 64 bytes; freed again when dropped, so that the system need not save
/// them any longer.
pub(crate) struct Tiles(());

/// What `ldtilecfg` reads (Intel SDM, table of TILECFG): palette 1, then bytes per row, then rows.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Sets eight tiles up: rows, and pairs of `bf16` in each.
fn configure(shapes: [(u8, u16); 8]) {
    assert!(is_available(), "this processor has no bf16 tiles");
    let mut configuration = Configuration {
        palette: 1,
        start_row: 0,
        reserved: [0; 14],
        row_bytes: [0; 16],
        rows: [0; 16],
    };
    configuration.row_bytes[..8].copy_from_slice(&shapes.map(|(_, pairs)| 4 * pairs));
    configuration.rows[..8].copy_from_slice(&shapes.map(|(rows, _)| rows));
    // SAFETY: the tiles exist and may be used; the operand is the 64 bytes of a valid configuration
    // of palette 1, whose rows have 4 to 64 bytes.
    unsafe {
        asm!(
            "ldtilecfg [{}]",
            in(reg) &raw const configuration,
            options(nostack, readonly),
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
        );
    }
}

impl Tiles {
    /// Sets the tiles of this thread up.
    ///
    /// # Panics
    /// When there are none.
    pub(crate) fn new() -> Tiles {
        configure([(16, 16); 8]);
        Tiles(())
    }

    /// Sets the four sums of [`Tiles::multiply`] to zero.
    pub(crate) fn clear(&self) {
        // SAFETY: `self` is the proof that the tiles are set up. What is kept in them until
        // [`Tiles::store`] stays there: nothing else that runs in this thread uses tiles in
        // between, as no other code but this file can.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                options(nomem, nostack),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            );
        }
    }

    /// Takes the right operand for the products of step `step`. Steps take turns at registers, as a
    /// tile that is being read cannot be loaded.
    #[inline(always)]
    pub(crate) fn load(&self, step: usize, right: &Tile) {
        macro_rules! load {
            ($right:tt) => {
                asm!(
                    concat!("tileloadd ", $right, ", [{tile} + {row}*1]"),
                    tile = in(reg) right,
                    row = in(reg) 64usize,
                    options(nostack, readonly),
                    out($right) _,
                )
            };
        }
        // SAFETY: as in `clear`; a tile has 16 rows of 64 bytes.
        unsafe {
            match step % 2 {
                0 => load!("tmm4"),
                _ => load!("tmm5"),
            }
        }
    }

    /// Adds the product with the right operand of step `step` to sum `sum` of four.
    #[inline(always)]
    pub(crate) fn multiply(&self, step: usize, sum: usize, left: &Tile) {
        macro_rules! multiply {
            ($sum:tt, $right:literal, $left:tt) => {
                asm!(
                    concat!("tileloadd ", $left, ", [{tile} + {row}*1]"),
                    concat!("tdpbf16ps ", $sum, ", ", $left, ", ", $right),
                    tile = in(reg) left,
                    row = in(reg) 64usize,
                    options(nostack, readonly),
                    out($sum) _, out($left) _,
                )
            };
        }
        // SAFETY: as in `load`.
        unsafe {
            match (sum, step % 2) {
                (0, 0) => multiply!("tmm0", "tmm4", "tmm6"),
                (0, _) => multiply!("tmm0", "tmm5", "tmm7"),
                (1, 0) => multiply!("tmm1", "tmm4", "tmm7"),
                (1, _) => multiply!("tmm1", "tmm5", "tmm6"),
                (2, 0) => multiply!("tmm2", "tmm4", "tmm6"),
                (2, _) => multiply!("tmm2", "tmm5", "tmm7"),
                (3, 0) => multiply!("tmm3", "tmm4", "tmm7"),
                (3, _) => multiply!("tmm3", "tmm5", "tmm6"),
                _ => panic!("sum {sum} of four"),
            }
        }
    }

    /// Sums 0 to 3 grow by the products of two left operands with two right ones.
    #[inline(always)]
    pub(crate) fn multiply_squares(&self, left: [&Tile; 2], right: [&Tile; 2]) {
        // SAFETY: as in `load`.
        unsafe {
            asm!(
                "tileloadd tmm6, [{right0} + {row}*1]",
                "tileloadd tmm4, [{left0} + {row}*1]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{right1} + {row}*1]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{left1} + {row}*1]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                right0 = in(reg) right[0],
                right1 = in(reg) right[1],
                left0 = in(reg) left[0],
                left1 = in(reg) left[1],
                row = in(reg) 64usize,
                options(nostack, readonly),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            );
        }
    }

    /// Sums 0 to 3 grow by the products of one left operand with four right ones.
    #[inline(always)]
    pub(crate) fn multiply_row(&self, left: &Tile, right: [&Tile; 4]) {
        // SAFETY: as in `load`.
        unsafe {
            asm!(
                "tileloadd tmm4, [{left} + {row}*1]",
                "tileloadd tmm5, [{right0} + {row}*1]",
                "tdpbf16ps tmm0, tmm4, tmm5",
                "tileloadd tmm6, [{right1} + {row}*1]",
                "tdpbf16ps tmm1, tmm4, tmm6",
                "tileloadd tmm7, [{right2} + {row}*1]",
                "tdpbf16ps tmm2, tmm4, tmm7",
                "tileloadd tmm5, [{right3} + {row}*1]",
                "tdpbf16ps tmm3, tmm4, tmm5",
                right0 = in(reg) right[0],
                right1 = in(reg) right[1],
                right2 = in(reg) right[2],
                right3 = in(reg) right[3],
                left = in(reg) left,
                row = in(reg) 64usize,
                options(nostack, readonly),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            );
        }
    }

    /// Reads sum `sum` of four from 16 rows of 16 at `stride`.
    #[inline(always)]
    pub(crate) fn load_sum(&self, sum: usize, from: &[f32], stride: usize) {
        assert!(from.len() >= 15 * stride + 16, "a tile of sums");
        macro_rules! load {
            ($sum:tt) => {
                asm!(
                    concat!("tileloadd ", $sum, ", [{from} + {row}*1]"),
                    from = in(reg) from.as_ptr(),
                    row = in(reg) stride * size_of::<f32>(),
                    options(nostack, readonly),
                    out($sum) _,
                )
            };
        }
        // SAFETY: as in `clear`; the rows lie in `from`.
        unsafe {
            match sum {
                0 => load!("tmm0"),
                1 => load!("tmm1"),
                2 => load!("tmm2"),
                3 => load!("tmm3"),
                _ => panic!("sum {sum} of four"),
            }
        }
    }

    /// Takes what the sums of a block start from.
    #[inline(always)]
    pub(crate) fn begin(&self, block: &Block) {
        block.check();
        if block.start == Start::Zero {
            return self.clear();
        }
        for sum in 0..4 {
            self.load_sum(sum, &block.out[block.place(sum)..], block.stride);
        }
    }

    /// Writes the sums of a block to their place.
    #[inline(always)]
    pub(crate) fn end(&self, block: &mut Block) {
        for sum in 0..4 {
            let place = block.place(sum);
            self.store(sum, &mut block.out[place..], block.stride);
        }
    }

    /// Writes sum `sum` of four to 16 rows of 16 floats at `stride`.
    #[inline(always)]
    pub(crate) fn store(&self, sum: usize, out: &mut [f32], stride: usize) {
        assert!(out.len() >= 15 * stride + 16, "room for a tile");
        macro_rules! store {
            ($sum:tt) => {
                asm!(
                    concat!("tilestored [{out} + {row}*1], ", $sum),
                    out = in(reg) out.as_mut_ptr(),
                    row = in(reg) stride * size_of::<f32>(),
                    options(nostack),
                )
            };
        }
        // SAFETY: as in `clear`; the rows lie in `out`.
        unsafe {
            match sum {
                0 => store!("tmm0"),
                1 => store!("tmm1"),
                2 => store!("tmm2"),
                3 => store!("tmm3"),
                _ => panic!("sum {sum} of four"),
            }
        }
    }

    /// `out = start + left * right` for 32 x 32 outputs; the sum of a tile step is what the
    /// instruction `tdpbf16ps` computes.
    pub(crate) fn add(&self, block: &mut Block) {
        block.check();
        let stride = block.stride * size_of::<f32>();
        let c = block.out.as_mut_ptr();
        // SAFETY: `check` saw that all four operands have `steps` tiles and that 32 rows of 32
        // floats at `stride` lie in `out`; `self` is the proof that the tiles are set up. Nothing
        // is kept in the tiles from one block to the next.
        unsafe {
            asm!(
                "test {from_out}, {from_out}",
                "jnz 3f",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "jmp 2f",
                "3:",
                "tileloadd tmm0, [{c0} + {stride}*1]",
                "tileloadd tmm1, [{c0} + {stride}*1 + 64]",
                "tileloadd tmm2, [{c1} + {stride}*1]",
                "tileloadd tmm3, [{c1} + {stride}*1 + 64]",
                "2:",
                "tileloadd tmm6, [{right0} + {row}*1]",
                "tileloadd tmm4, [{left0} + {row}*1]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{right1} + {row}*1]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{left1} + {row}*1]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {left0}, 1024",
                "add {left1}, 1024",
                "add {right0}, 1024",
                "add {right1}, 1024",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{c0} + {stride}*1], tmm0",
                "tilestored [{c0} + {stride}*1 + 64], tmm1",
                "tilestored [{c1} + {stride}*1], tmm2",
                "tilestored [{c1} + {stride}*1 + 64], tmm3",
                c0 = in(reg) c,
                c1 = in(reg) c.byte_add(16 * stride),
                stride = in(reg) stride,
                row = in(reg) 64usize,
                left0 = inout(reg) block.left[0].as_ptr() => _,
                left1 = inout(reg) block.left[1].as_ptr() => _,
                right0 = inout(reg) block.right[0].as_ptr() => _,
                right1 = inout(reg) block.right[1].as_ptr() => _,
                from_out = in(reg) usize::from(block.start == Start::Out),
                steps = inout(reg) block.left[0].len() => _,
                options(nostack),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            );
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        release();
    }
}

/// Tiles for left operands and two sums of a few rows.
pub(crate) struct NarrowTiles {
    rows: usize,
}

impl NarrowTiles {
    /// Sets the tiles of this thread up for `rows` rows, 1 to 16.
    ///
    /// # Panics
    /// When there are no tiles, or for another number.
    pub(crate) fn new(rows: usize) -> NarrowTiles {
        assert!((1..=16).contains(&rows), "tiles of {rows} rows");
        let (whole, narrow) = ((16, 16), (rows as u8, 16));
        configure([narrow, narrow, whole, whole, whole, whole, narrow, narrow]);
        NarrowTiles { rows }
    }

    /// Sets both sums to zero.
    pub(crate) fn clear(&self) {
        // SAFETY: as in `Tiles::clear`.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                options(nomem, nostack),
                out("tmm0") _, out("tmm1") _,
            );
        }
    }

    /// Adds the products of a left operand with two right ones to the two sums. Steps take turns at
    /// registers, as a tile that is being read cannot be loaded.
    #[inline(always)]
    pub(crate) fn multiply(&self, step: usize, left: &Tile, right: [&Tile; 2]) {
        macro_rules! multiply {
            ($first:tt, $second:tt, $left:tt) => {
                asm!(
                    concat!("tileloadd ", $left, ", [{left} + {row}*1]"),
                    concat!("tileloadd ", $first, ", [{first} + {row}*1]"),
                    concat!("tdpbf16ps tmm0, ", $left, ", ", $first),
                    concat!("tileloadd ", $second, ", [{second} + {row}*1]"),
                    concat!("tdpbf16ps tmm1, ", $left, ", ", $second),
                    left = in(reg) left,
                    first = in(reg) right[0],
                    second = in(reg) right[1],
                    row = in(reg) 64usize,
                    options(nostack, readonly),
                    out("tmm0") _, out("tmm1") _, out($first) _, out($second) _, out($left) _,
                )
            };
        }
        // SAFETY: as in `Tiles::clear`; a tile has 16 rows of 64 bytes.
        unsafe {
            match step % 2 {
                0 => multiply!("tmm2", "tmm3", "tmm6"),
                _ => multiply!("tmm4", "tmm5", "tmm7"),
            }
        }
    }

    /// Writes the sums to as many rows as there are, of 32 floats at `stride`.
    pub(crate) fn store(&self, out: &mut [f32], stride: usize) {
        assert!(out.len() >= (self.rows - 1) * stride + 32, "room for two tiles");
        // SAFETY: as in `Tiles::clear`; the rows lie in `out`.
        unsafe {
            asm!(
                "tilestored [{first} + {row}*1], tmm0",
                "tilestored [{first} + {row}*1 + 64], tmm1",
                first = in(reg) out.as_mut_ptr(),
                row = in(reg) stride * size_of::<f32>(),
                options(nostack),
            );
        }
    }
}

impl Drop for NarrowTiles {
    fn drop(&mut self) {
        release();
    }
}

/// Tiles for products that are sums of their own: four results that take turns.
pub(crate) struct CodedTiles(());

impl CodedTiles {
    /// Sets the tiles of this thread up for sums over 32 or 16 terms of at most so many tokens.
    ///
    /// # Panics
    /// When there are none, or for other numbers.
    pub(crate) fn new(terms: usize, tokens: usize) -> CodedTiles {
        assert!((1..=16).contains(&tokens), "rows of a tile");
        let tokens = tokens as u8;
        let (left, right) = match terms {
            32 => ((tokens, 16), (16, 16)),
            16 => ((tokens, 8), (8, 16)),
            _ => panic!("sums over {terms} terms"),
        };
        let sum = (tokens, 16);
        configure([sum, sum, sum, sum, left, left, right, right]);
        CodedTiles(())
    }

    /// Result `step % 4` becomes the product of two tiles; for sums over 16 terms, of their first
    /// halves.
    #[inline(always)]
    pub(crate) fn multiply(&self, step: usize, left: &Tile, right: &Tile) {
        self.multiply_at(step, (&raw const *left).cast(), (&raw const *right).cast());
    }

    #[inline(always)]
    fn multiply_at(&self, step: usize, left: *const u8, right: *const u8) {
        macro_rules! multiply {
            ($sum:tt, $left:tt, $right:tt) => {
                asm!(
                    concat!("tileloadd ", $left, ", [{left} + {row}*1]"),
                    concat!("tileloadd ", $right, ", [{right} + {row}*1]"),
                    concat!("tilezero ", $sum),
                    concat!("tdpbf16ps ", $sum, ", ", $left, ", ", $right),
                    left = in(reg) left,
                    right = in(reg) right,
                    row = in(reg) 64usize,
                    options(nostack, readonly),
                    out($sum) _, out($left) _, out($right) _,
                )
            };
        }
        // SAFETY: `self` is the proof that the tiles are set up; nothing else uses tiles until they
        // are stored, as no other code but this file can. Both callers give whole operands.
        unsafe {
            match step % 4 {
                0 => multiply!("tmm0", "tmm4", "tmm6"),
                1 => multiply!("tmm1", "tmm5", "tmm7"),
                2 => multiply!("tmm2", "tmm4", "tmm6"),
                _ => multiply!("tmm3", "tmm5", "tmm7"),
            }
        }
    }

    /// For sums over 16 terms: result `step % 4` becomes the product of the halves that `step % 2`
    /// names, 16 columns on the left and 8 rows of pairs on the right.
    #[inline(always)]
    pub(crate) fn multiply_half(&self, step: usize, left: &Tile, right: &Tile) {
        let half = step % 2;
        let (left, right) = (&raw const left.0[0][8 * half], &raw const right.0[8 * half]);
        self.multiply_at(step, left.cast(), right.cast());
    }

    /// Writes result `step % 4`.
    #[inline(always)]
    pub(crate) fn store(&self, step: usize, out: &mut Square) {
        macro_rules! store {
            ($sum:tt) => {
                asm!(
                    concat!("tilestored [{out} + {row}*1], ", $sum),
                    out = in(reg) out,
                    row = in(reg) 64usize,
                    options(nostack),
                )
            };
        }
        // SAFETY: as in `multiply`; the result has 16 rows of 64 bytes.
        unsafe {
            match step % 4 {
                0 => store!("tmm0"),
                1 => store!("tmm1"),
                2 => store!("tmm2"),
                _ => store!("tmm3"),
            }
        }
    }
}

impl Drop for CodedTiles {
    fn drop(&mut self) {
        release();
    }
}

fn release() {
    // SAFETY: only called where tiles were set up, so the instruction exists.
    unsafe { asm!("tilerelease", options(nomem, nostack)) }
}
