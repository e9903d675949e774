//! AAC of low complexity (ISO/IEC 14496-3) to linear samples: one channel, at a rate that Opus takes.

use anyhow::{Context, bail};
use rubato::{Resampler, SincFixedIn, SincInterpolationParameters, SincInterpolationType, WindowFunction};
use symphonia_codec_aac::AacDecoder;
use symphonia_core::audio::SampleBuffer;
use symphonia_core::codecs::{CODEC_TYPE_AAC, CodecParameters, Decoder, DecoderOptions};
use symphonia_core::formats::Packet;

/// Samples of one frame and channel.
const FRAME: usize = 1024;
/// Rates that Opus takes (RFC 6716 section 2).
const RATES: [u32; 5] = [8_000, 12_000, 16_000, 24_000, 48_000];
/// What everything else becomes: above each of them, so that nothing is folded back.
const RATE_OTHERWISE: u32 = 48_000;
/// Frames in a row that make no sense: two seconds of 48 kHz. Fewer are lost packets.
const BAD_MAX: u32 = 100;

/// A decoder for one stream.
pub(crate) struct Aac {
    decoder: AacDecoder,
    resampler: Option<SincFixedIn<f32>>,
    rate: u32,
    bad: u32,
}

impl Aac {
    /// For a stream with this clock rate and this AudioSpecificConfig.
    ///
    /// # Errors
    /// When it is no AAC of low complexity with one or two channels.
    pub(crate) fn new(clock: u32, config: &[u8]) -> anyhow::Result<Self> {
        let mut parameters = CodecParameters::new();
        parameters.for_codec(CODEC_TYPE_AAC).with_extra_data(config.into());
        let decoder = AacDecoder::try_new(&parameters, &DecoderOptions::default())
            .context("its sound is AAC of a kind that is not known here; set it to AAC-LC or G.711")?;
        let rate = if RATES.contains(&clock) { clock } else { RATE_OTHERWISE };
        let resampler = (rate != clock).then(|| resampler(clock, rate)).transpose()?;
        Ok(Self { decoder, resampler, rate, bad: 0 })
    }

    /// Samples a second of what comes out.
    pub(crate) fn rate(&self) -> u32 {
        self.rate
    }

    /// One frame. Nothing comes of a broken one.
    ///
    /// # Errors
    /// When frame after frame makes no sense.
    pub(crate) fn decode(&mut self, data: &[u8]) -> anyhow::Result<Vec<i16>> {
        let packet = Packet::new_from_slice(0, 0, FRAME as u64, data);
        let mono = match self.decoder.decode(&packet) {
            Ok(decoded) => {
                let (spec, frames) = (*decoded.spec(), decoded.capacity() as u64);
                let mut samples = SampleBuffer::<f32>::new(frames, spec);
                samples.copy_interleaved_ref(decoded);
                mix(samples.samples(), spec.channels.count())
            }
            Err(error) => {
                self.bad += 1;
                if self.bad > BAD_MAX {
                    bail!("its sound cannot be decoded: {error}");
                }
                return Ok(Vec::new());
            }
        };
        self.bad = 0;
        let whole = match &mut self.resampler {
            Some(resampler) if mono.len() == FRAME => {
                resampler.process(&[mono], None).context("changing the rate of sound")?.remove(0)
            }
            Some(_) => Vec::new(),
            None => mono,
        };
        Ok(whole.into_iter().map(linear).collect())
    }
}

fn resampler(from: u32, to: u32) -> anyhow::Result<SincFixedIn<f32>> {
    let parameters = SincInterpolationParameters {
        sinc_len: 64,
        f_cutoff: 0.92,
        oversampling_factor: 128,
        interpolation: SincInterpolationType::Linear,
        window: WindowFunction::BlackmanHarris2,
    };
    SincFixedIn::new(f64::from(to) / f64::from(from), 1.0, parameters, FRAME, 1)
        .with_context(|| format!("sound of {from} Hz"))
}

/// The mean of all channels.
fn mix(samples: &[f32], channels: usize) -> Vec<f32> {
    let share = 1.0 / channels.max(1) as f32;
    samples.chunks_exact(channels.max(1)).map(|of_all| of_all.iter().sum::<f32>() * share).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "it is held within 16 bits")]
fn linear(sample: f32) -> i16 {
    (sample * 32_768.0).clamp(-32_768.0, 32_767.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AAC-LC: 5 bits of type, 4 of rate, 4 of channels, 3 of nothing.
    fn config(rate: u8, channels: u8) -> [u8; 2] {
        [2 << 3 | rate >> 1, rate << 7 | channels << 3]
    }

    #[test]
    fn a_rate_that_opus_does_not_take_becomes_one_that_it_takes() {
        let silence = [0x01, 0x40, 0x20, 0x07, 0x00];
        for (index, rate, to, count) in
            [(3, 48_000, 48_000, 1024), (4, 44_100, 48_000, 1114), (8, 16_000, 16_000, 1024)]
        {
            let mut aac = Aac::new(rate, &config(index, 1)).unwrap();
            assert_eq!(aac.rate(), to);
            let lengths: Vec<_> = (0..20).map(|_| aac.decode(&silence).unwrap().len()).collect();
            let last = *lengths.last().unwrap();
            assert!(last.abs_diff(count) <= 1, "{rate}: {lengths:?}");
        }
    }

    #[test]
    fn what_is_broken_is_left_out_and_what_stays_broken_is_an_error() {
        let mut aac = Aac::new(48_000, &config(3, 1)).unwrap();
        assert!(aac.decode(&[0x01]).unwrap().is_empty());
        let said = (0..BAD_MAX).find_map(|_| aac.decode(&[0x01]).err()).unwrap().to_string();
        assert!(said.contains("cannot be decoded"), "{said}");
    }

    #[test]
    fn what_is_no_low_complexity_names_the_remedy() {
        let sbr = [5 << 3 | 3 >> 1, 3 << 7 | 1 << 3];
        for config in [&sbr[..], &[], &[0x12]] {
            let said = format!("{:#}", Aac::new(48_000, config).err().unwrap());
            assert!(said.contains("AAC-LC"), "{said}");
        }
    }
}
