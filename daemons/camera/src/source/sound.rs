//! Sound of a camera becomes Opus: one codec for browsers, recordings and telephones. At the rate that it came with,
//! when Opus takes that rate: telephone sound is never resampled.

use super::aac::Aac;
use super::g711::Law;
use anyhow::Context;
use bytes::Bytes;
use media::take::Audio;
use ropus::{Application, Bitrate, Channels, Encoder};

/// Packets of 20 ms, as RFC 7587 recommends.
const PACKET_MS: u32 = 20;
/// Longest packet that the encoder may make (RFC 6716 section 3.2.1).
const PACKET_MAX: usize = 1275;
/// Telephone sound is transparent at this rate.
const BITS_NARROW: u32 = 24_000;
/// A microphone's.
const BITS_WIDE: u32 = 48_000;
/// A step in the time stamps of more than this is a gap, not jitter of the camera's arithmetic.
const GAP: i64 = 40_000;

/// What becomes of a camera's sound.
pub(crate) enum Sound {
    /// As it is sent with pictures.
    Aac(Box<Aac>, Box<Opus>),
    /// As it is sent by telephones.
    Telephone(Law, Box<Opus>),
}

impl Sound {
    /// For a stream as SDP describes it: encoding, clock rate, codec parameters.
    ///
    /// # Errors
    /// When we cannot use it: a sentence for the technician.
    pub(crate) fn new(encoding: &str, rate: u32, extra: &[u8]) -> anyhow::Result<Self> {
        match encoding {
            "mpeg4-generic" => {
                let aac = Aac::new(rate, extra)?;
                let opus = Opus::new(aac.rate(), BITS_WIDE)?;
                Ok(Self::Aac(Box::new(aac), Box::new(opus)))
            }
            "pcmu" if rate == 8_000 => Ok(Self::Telephone(Law::Mu, Box::new(Opus::narrow()?))),
            "pcma" if rate == 8_000 => Ok(Self::Telephone(Law::A, Box::new(Opus::narrow()?))),
            other => anyhow::bail!(
                "its sound is {other} at {rate} Hz; set it to AAC or G.711 (8000 Hz), or `sound = false`"
            ),
        }
    }

    /// How it is coded from here on.
    pub(crate) const AUDIO: Audio = Audio::Opus { channels: 1 };

    /// Takes a packet of the camera, and gives what is complete with its time stamp in microseconds.
    ///
    /// # Errors
    /// When it cannot be coded.
    pub(crate) fn take(&mut self, stamp: i64, data: &[u8]) -> anyhow::Result<Vec<(i64, Bytes)>> {
        match self {
            Self::Aac(aac, opus) => opus.take(stamp, aac.decode(data)?.into_iter()),
            Self::Telephone(law, opus) => opus.take(stamp, data.iter().map(|code| law.linear(*code))),
        }
    }
}

/// An Opus encoder for one channel and packets of 20 ms.
pub(crate) struct Opus {
    encoder: Encoder,
    rate: u32,
    samples: Vec<i16>,
    /// Time stamp of the first of them.
    stamp: i64,
}

impl Opus {
    fn narrow() -> anyhow::Result<Self> {
        Self::new(8_000, BITS_NARROW)
    }

    /// For a microphone: 48 kHz.
    ///
    /// # Errors
    /// When there can be no encoder.
    pub(crate) fn wide() -> anyhow::Result<Self> {
        Self::new(48_000, BITS_WIDE)
    }

    fn new(rate: u32, bits: u32) -> anyhow::Result<Self> {
        let encoder = Encoder::builder(rate, Channels::Mono, Application::Audio)
            .bitrate(Bitrate::try_bits(bits)?)
            .complexity(5)
            .build()
            .context("making an Opus encoder")?;
        Ok(Self { encoder, rate, samples: Vec::new(), stamp: 0 })
    }

    /// Takes samples; gives packets with their time stamps in microseconds.
    ///
    /// # Errors
    /// When the encoder refuses them.
    pub(crate) fn take(
        &mut self,
        stamp: i64,
        samples: impl Iterator<Item = i16>,
    ) -> anyhow::Result<Vec<(i64, Bytes)>> {
        let expected = self.stamp + self.length(self.samples.len());
        if self.samples.is_empty() || (stamp - expected).abs() > GAP {
            self.samples.clear();
            self.stamp = stamp;
        }
        self.samples.extend(samples);
        let whole = (self.rate * PACKET_MS / 1000) as usize;
        let mut packets = Vec::new();
        while self.samples.len() >= whole {
            let mut packet = [0; PACKET_MAX];
            let len = self.encoder.encode(&self.samples[..whole], &mut packet).context("coding sound")?;
            packets.push((self.stamp, Bytes::copy_from_slice(&packet[..len])));
            self.samples.drain(..whole);
            self.stamp += self.length(whole);
        }
        Ok(packets)
    }

    fn length(&self, samples: usize) -> i64 {
        i64::try_from(samples).unwrap_or(i64::MAX / 1_000_000) * 1_000_000 / i64::from(self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    #[expect(clippy::cast_possible_truncation, reason = "the tone is within 16 bits")]
    fn tone(rate: f64, count: u32) -> Vec<i16> {
        (0..count).map(|n| ((TAU * 1000.0 * f64::from(n) / rate).sin() * 12_000.0) as i16).collect()
    }

    /// Zero crossings upwards in a second: the pitch.
    fn pitch(samples: &[i16]) -> usize {
        samples.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count()
    }

    #[test]
    fn a_tone_of_a_telephone_stays_a_tone_of_the_same_pitch() {
        let mut opus = Opus::narrow().unwrap();
        let packets = opus.take(7_000, tone(8_000.0, 8_000).into_iter()).unwrap();
        assert_eq!(packets.len(), 50);
        assert_eq!((packets[0].0, packets[1].0), (7_000, 27_000));
        let mut decoder = ropus::Decoder::new(48_000, Channels::Mono).unwrap();
        let mut heard = Vec::new();
        for (_, packet) in &packets {
            let mut out = [0; 960];
            let count = decoder.decode(packet, &mut out, ropus::DecodeMode::Normal).unwrap();
            heard.extend_from_slice(&out[..count]);
        }
        assert!((990..=1010).contains(&pitch(&heard)), "{}", pitch(&heard));
    }

    #[test]
    fn what_does_not_fill_a_packet_waits_and_a_gap_begins_anew() {
        let mut opus = Opus::narrow().unwrap();
        assert!(opus.take(0, std::iter::repeat_n(0, 100)).unwrap().is_empty());
        let stamps = |packets: Vec<(i64, Bytes)>| packets.into_iter().map(|p| p.0).collect::<Vec<_>>();
        assert_eq!(stamps(opus.take(12_500, std::iter::repeat_n(0, 100)).unwrap()), [0]);
        assert_eq!(stamps(opus.take(500_000, std::iter::repeat_n(0, 160)).unwrap()), [500_000]);
    }

    #[test]
    fn what_we_cannot_use_names_the_remedy() {
        let why = Sound::new("g726-32", 8_000, &[]).err().unwrap().to_string();
        assert!(why.contains("g726-32") && why.contains("sound = false"), "{why}");
        assert!(Sound::new("pcmu", 16_000, &[]).is_err());
    }
}
