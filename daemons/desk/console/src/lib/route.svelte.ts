// Which screen is shown. In the address, so that a reload stays there.

import type { May } from './types';

export const VIEWS = ['seat', 'mosaic', 'sites', 'closed', 'announcements', 'updates', 'accounts'] as const;
export type View = (typeof VIEWS)[number];

/** What one must be allowed to do to see a screen; absent: everybody. */
export const NEEDS: Partial<Record<View, May>> = {
  mosaic: 'acknowledge', announcements: 'announce', updates: 'update', accounts: 'accounts',
};

function fromAddress(): View {
  return VIEWS.find((view) => location.hash === `#/${view}`) ?? 'seat';
}

class Route {
  view = $state<View>(fromAddress());

  constructor() {
    addEventListener('hashchange', () => (this.view = fromAddress()));
  }

  go(view: View): void {
    location.hash = `#/${view}`;
    this.view = view;
  }
}

export const route = new Route();
