// How times and spans are written: 24 hours, the workplace's own zone. Pure.

const two = (n: number) => String(n).padStart(2, '0');

/** `2025-11-21` */
export function date(ms: number): string {
  const d = new Date(ms);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
}

/** `10:23:07` */
export function time(ms: number): string {
  const d = new Date(ms);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** `10:23:07.042`, for the comparison of clocks. */
export function exact(ms: number): string {
  return `${time(ms)}.${String(new Date(ms).getMilliseconds()).padStart(3, '0')}`;
}

/** The time alone on the day of `now`, else day and time. */
export function moment(ms: number, now: number): string {
  return date(ms) === date(now) ? time(ms) : `${date(ms).slice(5)} ${time(ms).slice(0, 5)}`;
}

/** Day and time to the minute. */
export function stamp(ms: number): string {
  return `${date(ms)} ${time(ms).slice(0, 5)}`;
}

/** Whole seconds from one time to a later one; never negative, so that a skewed clock shows no nonsense. */
export function seconds(from: number, to: number): number {
  return Math.max(0, Math.floor((to - from) / 1000));
}

/** `0:07`, `12:40`, `3:05:09`, `2d 03:05`. */
export function span(total: number): string {
  const [days, hours, minutes, rest] = [
    Math.floor(total / 86_400), Math.floor(total / 3600) % 24, Math.floor(total / 60) % 60, total % 60,
  ];
  if (days > 0) return `${days}d ${two(hours)}:${two(minutes)}`;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** `31.23040°N 121.47370°E` */
export function coordinates(latitude: number, longitude: number): string {
  const part = (value: number, plus: string, minus: string) =>
    `${Math.abs(value).toFixed(5)}°${value < 0 ? minus : plus}`;
  return `${part(latitude, 'N', 'S')}  ${part(longitude, 'E', 'W')}`;
}
