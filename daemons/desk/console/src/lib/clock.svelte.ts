// The desk's clock as this screen has it: ages and countdowns go by the desk, not by the workplace's own clock.

class Clock {
  /** The desk's time, renewed each second. */
  now = $state(Date.now());
  #skew = 0;

  constructor() {
    setInterval(() => (this.now = Date.now() + this.#skew), 1000);
  }

  /** The desk's time at this very moment. */
  exact(): number {
    return Date.now() + this.#skew;
  }

  set(desk: number): void {
    this.#skew = desk - Date.now();
    this.now = desk;
  }
}

export const clock = new Clock();
