//! Codes as pictures: QR (ISO/IEC 18004) and Code 128 (ISO/IEC 15417) as SVG.

use crate::problem::Problem;
use barcoders::{generators::svg::SVG, sym::code128::Code128};
use fanfare_core::model::reward::Symbology;
use fast_qr::{
    QRBuilder,
    convert::{Builder as _, svg::SvgBuilder},
};

/// The media type of the pictures.
pub(crate) const MEDIA_TYPE: &str = "image/svg+xml";
/// The height of a bar, in the picture's units.
const BAR_HEIGHT: u32 = 80;
/// The width of the thinnest bar; scanners want at least two dots.
const BAR_WIDTH: u32 = 2;
/// Quiet zone of a QR code, in modules, as the standard asks.
const QR_QUIET_MODULES: usize = 4;
/// Barcoders' sign for "character set B", which holds all printable ASCII.
const CHARACTER_SET_B: char = '\u{0181}';
/// Quiet zone of a Code 128, in thinnest bars: ten, as the standard asks.
const BAR_QUIET: usize = 10;

/// The name that the API uses.
pub(crate) fn name(symbology: Symbology) -> &'static str {
    match symbology {
        Symbology::Code128 => "Code128",
        Symbology::Qr => "Qr",
    }
}

/// `payload` drawn.
pub(crate) fn draw(payload: &str, symbology: Symbology) -> Result<String, Problem> {
    match symbology {
        Symbology::Qr => qr(payload),
        Symbology::Code128 => code128(payload),
    }
}

fn qr(payload: &str) -> Result<String, Problem> {
    let code = QRBuilder::new(payload).build().map_err(|error| Problem::internal(&error))?;
    Ok(SvgBuilder::default().margin(QR_QUIET_MODULES).to_str(&code))
}

fn code128(payload: &str) -> Result<String, Problem> {
    let failed = |error: barcoders::error::Error| Problem::internal(&error);
    let bars = Code128::new(format!("{CHARACTER_SET_B}{payload}")).map_err(failed)?.encode();
    let quiet = vec![0_u8; BAR_QUIET];
    let padded = [quiet.as_slice(), &bars, quiet.as_slice()].concat();
    let picture = SVG::new(BAR_HEIGHT).xdim(BAR_WIDTH).xmlns("http://www.w3.org/2000/svg".into());
    picture.generate(padded).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_symbologies_are_drawn_as_svg() {
        for symbology in [Symbology::Qr, Symbology::Code128] {
            let svg = draw("SAVE10-7KX2", symbology).unwrap();
            assert!(svg.starts_with("<svg"), "{svg}");
            assert!(svg.contains("http://www.w3.org/2000/svg"), "{svg}");
        }
    }
}
