/** Bytes as people read them: megabytes, with one decimal below ten. */
export function size(bytes: number): string {
  const mega = bytes / 1_000_000;
  return `${mega < 10 ? mega.toFixed(1) : Math.round(mega)} MB`;
}
