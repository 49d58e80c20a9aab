//! AMX: the tile unit, detected and driven through inline assembly (its intrinsics are not stable).
#![allow(unsafe_code)] // assembly; callers check bounds and processor first

use crate::bf16_product::{Block, Start};
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
pub(crate) struct Tiles {
    columns: usize,
}

/// What `ldtilecfg` reads (Intel SDM, table of TILECFG): palette 1, then bytes per row, then rows.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Tiles {
    /// Sets the tiles of this thread up.
    ///
    /// # Panics
    /// When there are none.
    pub(crate) fn new() -> Tiles {
        Tiles::of_width(16)
    }

    /// The same, the right operands and the sums of [`Tiles::multiply`] having `columns` columns,
    /// 1 to 16.
    pub(crate) fn of_width(columns: usize) -> Tiles {
        assert!((1..=16).contains(&columns), "tiles of {columns} columns");
        assert!(is_available(), "this processor has no bf16 tiles");
        let mut configuration = Configuration {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        configuration.row_bytes[..8].fill(64);
        configuration.rows[..8].fill(16);
        for tile in [0, 1, 2, 3, 6, 7] {
            configuration.row_bytes[tile] = 4 * columns as u16;
        }
        // SAFETY: the tiles exist and may be used; the operand is the 64 bytes of a valid
        // configuration of palette 1.
        unsafe {
            asm!(
                "ldtilecfg [{}]",
                in(reg) &raw const configuration,
                options(nostack, readonly),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            );
        }
        Tiles { columns }
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

    /// Takes the left operand for the products of step `step`. Steps take turns at registers, as a
    /// tile that is being read cannot be loaded.
    #[inline(always)]
    pub(crate) fn load(&self, step: usize, left: &Tile) {
        macro_rules! load {
            ($left:tt) => {
                asm!(
                    concat!("tileloadd ", $left, ", [{tile} + {row}*1]"),
                    tile = in(reg) left,
                    row = in(reg) 64usize,
                    options(nostack, readonly),
                    out($left) _,
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

    /// Adds the product with the left operand of step `step` to sum `sum` of four. The right one
    /// is 16 rows of as many pairs as the tiles have columns.
    #[inline(always)]
    pub(crate) fn multiply(&self, step: usize, sum: usize, right: &[[u16; 2]]) {
        assert!(right.len() >= 16 * self.columns, "pairs of a right operand");
        macro_rules! multiply {
            ($sum:tt, $left:literal, $right:tt) => {
                asm!(
                    concat!("tileloadd ", $right, ", [{tile} + {row}*1]"),
                    concat!("tdpbf16ps ", $sum, ", ", $left, ", ", $right),
                    tile = in(reg) right.as_ptr(),
                    row = in(reg) 4 * self.columns,
                    options(nostack, readonly),
                    out($sum) _, out($right) _,
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

    /// Writes sum `sum` of four to 16 rows of as many columns at `stride`.
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
        assert_eq!(self.columns, 16, "whole tiles");
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
        // SAFETY: the tiles were set up, so the instruction exists.
        unsafe { asm!("tilerelease", options(nomem, nostack)) }
    }
}
