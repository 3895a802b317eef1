// Numbers as people read them. Pure functions, the same words as the server's templates.

const UNITS = ["B", "KB", "MB", "GB", "TB"];

export function formatCount(number) {
  return Math.round(number).toLocaleString("en");
}

export function formatBytes(bytes) {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

export function plural(count, one, many = `${one}s`) {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

function roundedTime(seconds) {
  if (seconds < 55) return { value: Math.max(5, Math.ceil(seconds / 5) * 5), unit: "second" };
  if (seconds < 55 * 60) return { value: Math.max(1, Math.round(seconds / 60)), unit: "minute" };
  return { value: Math.max(1, Math.round(seconds / 3600)), unit: "hour" };
}

// An estimate is a range: one number would promise what nobody knows.
export function formatRange(range) {
  if (!range) return "No estimate yet";
  const [low, high] = range.map(roundedTime);
  if (low.unit === high.unit && low.value === high.value) {
    return `About ${plural(high.value, high.unit)} left`;
  }
  if (low.unit === high.unit) return `${low.value}–${plural(high.value, high.unit)} left`;
  return `${plural(low.value, low.unit)} to ${plural(high.value, high.unit)} left`;
}

export function formatRate(bytesPerSecond) {
  return `${formatBytes(bytesPerSecond)}/s`;
}
