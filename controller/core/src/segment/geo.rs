//! Points on earth: reading and writing them, and how far apart they are.

use super::facts::scalar_of;
use crate::model::segment::{Point, Scalar};
use serde_json::Value;
use std::fmt;

/// The mean radius of the earth, in metres (IUGG).
const EARTH_RADIUS_M: f64 = 6_371_008.8;
const E6: i64 = 1_000_000;

impl Point {
    /// Makes a point of two texts of decimal degrees; `None` outside the earth.
    pub fn parse(lat: &str, lng: &str) -> Option<Self> {
        let within = |text: &str, most: i64| degrees_e6(text).filter(|e6| e6.abs() <= most * E6);
        let (lat, lng) = (within(lat, 90)?, within(lng, 180)?);
        Some(Self { lat_e6: i32::try_from(lat).ok()?, lng_e6: i32::try_from(lng).ok()? })
    }

    /// Makes a point of a text such as `13.74,100.53`.
    pub fn parse_pair(text: &str) -> Option<Self> {
        let (lat, lng) = text.split_once(',')?;
        Self::parse(lat.trim(), lng.trim())
    }

    /// Makes a point of JSON: `{"lat": 13.74, "lng": 100.53}`, or a text such as `"13.74,100.53"`.
    pub fn of_json(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse_pair(text),
            Value::Object(fields) if fields.len() == 2 => {
                let degrees = |name: &str| fields.get(name).and_then(scalar_of);
                Self::of(&degrees("lat")?, &degrees("lng")?)
            }
            _ => None,
        }
    }

    /// Makes a point of two values.
    pub(super) fn of(lat: &Scalar, lng: &Scalar) -> Option<Self> {
        let text = |value: &Scalar| match value {
            Scalar::Number(_) | Scalar::Text(_) => Some(super::words::scalar(value)),
            Scalar::Flag(_) => None,
        };
        Self::parse(&text(lat)?, &text(lng)?)
    }

    /// How far another point is, in metres along the sphere (haversine).
    pub fn distance_m(self, other: Self) -> f64 {
        let radians = |e6: i32| (f64::from(e6) / 1e6).to_radians();
        let (lat, lng) = (radians(self.lat_e6), radians(self.lng_e6));
        let (other_lat, other_lng) = (radians(other.lat_e6), radians(other.lng_e6));
        let half = |from: f64, to: f64| ((to - from) / 2.0).sin().powi(2);
        let chord = half(lat, other_lat) + lat.cos() * other_lat.cos() * half(lng, other_lng);
        2.0 * EARTH_RADIUS_M * chord.clamp(0.0, 1.0).sqrt().asin()
    }

    /// Whether another point is at most so many metres away.
    #[expect(clippy::cast_precision_loss, reason = "a radius on earth is far below 2^53 metres")]
    pub fn is_within(self, radius_m: i64, other: Self) -> bool {
        self.distance_m(other) <= radius_m as f64
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let degrees = |e6: i32| {
            let sign = if e6 < 0 { "-" } else { "" };
            format!("{sign}{}.{:06}", e6.unsigned_abs() / 1_000_000, e6.unsigned_abs() % 1_000_000)
        };
        write!(f, "{},{}", degrees(self.lat_e6), degrees(self.lng_e6))
    }
}

/// Decimal degrees in millionths; digits beyond the sixth decimal are cut off.
fn degrees_e6(text: &str) -> Option<i64> {
    let (sign, unsigned) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || part.len() > 20 || !digits(whole) || !digits(part) {
        return None;
    }
    let part = part.get(..part.len().min(6)).unwrap_or_default();
    format!("{whole}{part:0<6}").parse::<i64>().ok().map(|e6| sign * e6)
}
