//! Instruction sets, and running one body of code on any of them.

use std::sync::{LazyLock, OnceLock};

/// The fastest set that [`Isa::detect`] may give in this process, if it was bounded.
static FASTEST: OnceLock<Isa> = OnceLock::new();
/// What this processor has, asked once: every call of a kernel wants to know.
static AVAILABLE: LazyLock<[bool; Isa::ALL.len()]> = LazyLock::new(|| Isa::ALL.map(Isa::is_there));

/// An instruction set for which kernels exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Isa {
    /// Portable code: the reference on every processor.
    Scalar,
    /// ARM64 with its vectors of 128 bits, which every such processor has.
    Neon,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL (and all that [`Isa::Avx2`] needs).
    Avx512,
    /// [`Isa::Avx512`] with tiles of bf16 beside it (AMX), and conversion to bf16.
    Amx,
}

impl Isa {
    /// All of them, slower before faster.
    pub const ALL: [Isa; 5] = [Isa::Scalar, Isa::Neon, Isa::Avx2, Isa::Avx512, Isa::Amx];

    /// The fastest instruction set of this processor, or what [`Isa::bound`] says (asks the
    /// processor, not the environment).
    pub fn detect() -> Isa {
        FASTEST.get().copied().unwrap_or_else(Isa::fastest)
    }

    /// Keeps this process to an instruction set, to measure or to check another one than its
    /// fastest. The bits of every result are the same. Can be said once, before anything is
    /// computed.
    ///
    /// # Errors
    /// [`Unavailable`] when this processor lacks it, or another one was named before.
    pub fn bound(self) -> Result<(), Unavailable> {
        let known = self.is_available() && *FASTEST.get_or_init(|| self) == self;
        known.then_some(()).ok_or_else(|| Unavailable {
            name: self.name(),
            available: Isa::available().iter().map(|isa| isa.name()).collect(),
        })
    }

    fn fastest() -> Isa {
        *Isa::available().last().unwrap_or(&Isa::Scalar)
    }

    /// Every instruction set that this processor has, slowest first.
    pub fn available() -> Vec<Isa> {
        Isa::ALL.into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// Whether this processor has the instruction set.
    pub fn is_available(self) -> bool {
        AVAILABLE[self as usize]
    }

    /// Asks the processor.
    fn is_there(self) -> bool {
        match self {
            Isa::Scalar => true,
            Isa::Neon => cfg!(target_arch = "aarch64"),
            Isa::Avx2 => has_avx2(),
            Isa::Avx512 => has_avx2() && has_avx512(),
            Isa::Amx => has_avx2() && has_avx512() && has_tiles(),
        }
    }

    /// The instruction set of this name.
    pub fn named(name: &str) -> Option<Isa> {
        Isa::ALL.into_iter().find(|isa| isa.name() == name)
    }

    /// Name for logs, records and settings: `scalar`, `neon`, `avx2`, `avx512`, `amx`.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Neon => "neon",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Amx => "amx",
        }
    }

    /// The set that lanes are computed with (that of tiles has the lanes of AVX-512), after making
    /// sure that its instructions may be executed here. Every dispatch goes through this, which is
    /// what makes calling the vector code sound.
    pub(crate) fn checked(self) -> Isa {
        assert!(self.is_available(), "this processor has no {}; use Isa::detect()", self.name());
        if self == Isa::Amx { Isa::Avx512 } else { self }
    }
}

/// This process cannot be kept to an instruction set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this processor cannot compute with {name}; it can with {}", available.join(", "))]
pub struct Unavailable {
    name: &'static str,
    available: Vec<&'static str>,
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c")
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

#[cfg(target_arch = "x86_64")]
fn has_tiles() -> bool {
    crate::amx::is_available() && crate::rounding::is_available()
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx512() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn has_tiles() -> bool {
    false
}

/// Compiles one portable body once per instruction set and runs the one asked for.
///
/// The body is `#[inline(always)]` code over `f32` and `f32::mul_add`; the compiler may neither
/// fuse nor reorder floating-point operations, so each copy gives the same bits. On ARM64 there is
/// one copy: vectors are part of the least that the compiler may use there.
macro_rules! on_isa {
    ($isa:expr, $body:ident($($arg:ident: $type:ty),*) $(-> $result:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma,f16c")]
        fn avx2($($arg: $type),*) $(-> $result)? {
            $body($($arg),*)
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
        fn avx512($($arg: $type),*) $(-> $result)? {
            $body($($arg),*)
        }
        match $isa.checked() {
            // SAFETY: `checked` made sure that this processor has AVX2, FMA and F16C.
            #[cfg(target_arch = "x86_64")]
            $crate::isa::Isa::Avx2 => unsafe { avx2($($arg),*) },
            // SAFETY: `checked` made sure that this processor has the AVX-512 parts named above.
            #[cfg(target_arch = "x86_64")]
            $crate::isa::Isa::Avx512 => unsafe { avx512($($arg),*) },
            _ => $body($($arg),*),
        }
    }};
}
pub(crate) use on_isa;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalar_is_always_there_and_detect_is_the_last_of_available() {
        let available = Isa::available();
        assert_eq!(available[0], Isa::Scalar);
        assert_eq!(Isa::fastest(), available[available.len() - 1]);
        assert!(available.iter().all(|isa| isa.is_available()));
        assert_eq!(Isa::Neon.is_available(), cfg!(target_arch = "aarch64"));
    }

    #[test]
    fn sets_have_names_and_those_of_other_processors_are_refused() {
        assert!(Isa::ALL.into_iter().all(|isa| Isa::named(isa.name()) == Some(isa)));
        assert_eq!(Isa::named("sse9"), None);
        let other = if cfg!(target_arch = "aarch64") { Isa::Avx2 } else { Isa::Neon };
        let error = other.bound().unwrap_err().to_string();
        assert!(error.contains(other.name()) && error.contains("scalar"), "{error}");
    }

    #[test]
    fn no_set_computes_lanes_with_tiles() {
        let lanes: Vec<Isa> = Isa::available().into_iter().map(Isa::checked).collect();
        assert!(!lanes.contains(&Isa::Amx) && lanes.is_sorted(), "{lanes:?}");
    }
}
