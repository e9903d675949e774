// Who sits here, and which of the gates before the console is open.

import { api, Refusal } from './api';
import type { Me, NewSetup, SignIn } from './types';

export type Stage = 'loading' | 'unreachable' | 'setup' | 'sign-in' | 'console';

const WORKPLACE = 'onepress-workplace';

class Session {
  stage = $state<Stage>('loading');
  me = $state.raw<Me | null>(null);
  centre = $state('');
  /** Filled in by the set-up for the sign-in that follows. */
  user = $state('');
  /** The session ended by itself: said on the sign-in page. */
  ended = $state(false);

  get workplace(): string {
    return localStorage.getItem(WORKPLACE) ?? '';
  }

  async begin(): Promise<void> {
    this.stage = 'loading';
    try {
      const setup = await api.setup();
      this.centre = setup.centre;
      if (setup.needed) this.stage = 'setup';
      else await this.#resume();
    } catch {
      this.stage = 'unreachable';
    }
  }

  async #resume(): Promise<void> {
    try {
      this.me = await api.me();
      this.stage = 'console';
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 401) throw error;
      this.stage = 'sign-in';
    }
  }

  async setUp(first: NewSetup): Promise<void> {
    await api.setUp(first);
    this.user = first.user;
    this.stage = 'sign-in';
  }

  async signIn(who: SignIn): Promise<void> {
    this.me = await api.signIn(who);
    localStorage.setItem(WORKPLACE, who.seat);
    this.user = who.user;
    this.ended = false;
    this.stage = 'console';
  }

  async signOut(): Promise<void> {
    await api.signOut();
    this.#leave();
  }

  /** The desk does not know this session any more. */
  expire(): void {
    this.ended = true;
    this.#leave();
  }

  #leave(): void {
    this.me = null;
    this.stage = 'sign-in';
  }
}

export const session = new Session();
