//! Blocks as bytes: what pages on disk are made of.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use allod_kernels::{BlockForm, BlockLayout, BlockMemory, Blocks, HeadRows, Isa};

const FORMS: [BlockForm; 2] = [BlockForm::Bf16, BlockForm::Mxint8];

/// Three heads of 40 elements at 32 positions.
fn written(form: BlockForm, isa: Isa) -> (BlockMemory, Blocks) {
    let memory = BlockMemory::new(BlockLayout::new(form, 40), 3);
    let mut blocks = memory.blocks();
    let rows: Vec<f32> = (0..40 * 32).map(|i| (i as f32 - 500.0) / 64.0).collect();
    for mut block in blocks.blocks_mut(0..3) {
        let rows = HeadRows { values: &rows, stride: 40 };
        block.write(isa, 0, 32, rows, rows);
    }
    (memory, blocks)
}

fn stored(blocks: &Blocks) -> Vec<u8> {
    let mut bytes = Vec::new();
    blocks.put(&mut bytes);
    bytes
}

#[test]
fn blocks_survive_as_bytes_that_are_the_same_everywhere() {
    for form in FORMS {
        let (memory, blocks) = written(form, Isa::Scalar);
        let bytes = stored(&blocks);
        assert_eq!(bytes.len(), memory.stored_bytes());
        assert_eq!(stored(&memory.read(&bytes).unwrap()), bytes);
        for isa in Isa::available() {
            assert!(stored(&written(form, isa).1) == bytes, "{form:?} {isa:?}");
        }
    }
}

#[test]
fn other_bytes_are_no_blocks() {
    for form in FORMS {
        let (memory, blocks) = written(form, Isa::Scalar);
        let bytes = stored(&blocks);
        assert!(memory.read(&bytes[1..]).is_none() && memory.read(&[]).is_none());
        let mut strange = bytes;
        *strange.last_mut().unwrap() = 2;
        assert!(memory.read(&strange).is_none());
    }
}

/// Pages on disk are read by later versions: who changes what stands here gives
/// `allod_lm::PAGE_FORMAT` another number.
#[test]
fn the_order_of_stored_bytes_stays_as_it_is() {
    let sum = |form| {
        let fnv = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        stored(&written(form, Isa::Scalar).1).iter().fold(0xcbf2_9ce4_8422_2325_u64, fnv)
    };
    assert_eq!(FORMS.map(sum), [8_497_179_853_721_971_736, 1_093_384_736_229_303_480]);
}
