// Draws the blurred picture that stands in a few bytes. https://evanw.github.io/thumbhash/

const SIDE = 32;

// Returns {width, height, pixels} of RGBA, at most 32 a side.
export function decodeThumbHash(hash) {
  const first = hash[0] | (hash[1] << 8) | (hash[2] << 16);
  const second = hash[3] | (hash[4] << 8);
  const isWide = second >> 15 === 1;
  const nx = Math.max(3, isWide ? 7 : second & 7);
  const ny = Math.max(3, isWide ? second & 7 : 7);
  const waves = wavesOf(hash);
  const light = waves(nx, ny, ((first >> 18) & 31) / 31, (first & 63) / 63);
  const yellow = waves(3, 3, (((second >> 3) & 63) / 63) * 1.25, ((first >> 6) & 63) / 31.5 - 1);
  const tint = waves(3, 3, (((second >> 9) & 63) / 63) * 1.25, ((first >> 12) & 63) / 31.5 - 1);
  const width = Math.round(nx > ny ? SIDE : (SIDE * nx) / ny);
  const height = Math.round(nx > ny ? (SIDE * ny) / nx : SIDE);
  const pixels = new Uint8ClampedArray(width * height * 4);
  for (let at = 0; at < width * height; at += 1) {
    const x = ((at % width) + 0.5) / width;
    const y = (Math.floor(at / width) + 0.5) / height;
    const [l, p, q] = [light(x, y), yellow(x, y), tint(x, y)];
    const blue = l - (2 / 3) * p;
    const red = (3 * l - blue + q) / 2;
    pixels.set([red * 255, (red - q) * 255, blue * 255, 255], at * 4);
  }
  return { width, height, pixels };
}

// The waves of one channel after the other lie in half bytes from the sixth byte on.
function wavesOf(hash) {
  let index = 0;
  const next = () => (hash[5 + (index >> 1)] >> ((index++ & 1) << 2)) & 15;
  return (nx, ny, scale, mean) => {
    const found = [];
    for (let v = 0; v < ny; v += 1) {
      for (let u = v ? 0 : 1; u * ny < nx * (ny - v); u += 1) {
        found.push([u * Math.PI, v * Math.PI, (next() / 7.5 - 1) * scale * 2]);
      }
    }
    return (x, y) =>
      found.reduce((sum, [u, v, high]) => sum + high * Math.cos(u * x) * Math.cos(v * y), mean);
  };
}
