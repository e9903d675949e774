// The bundle that is on its way to the desk. It goes on while one looks at other screens.

import { perform } from './actions.svelte';
import { api } from './api';

export const UPLOAD = 'bundle/add';

class Upload {
  name = $state('');
  sent = $state(0);
  whole = $state(0);
  readonly percent = $derived(this.whole === 0 ? 0 : Math.floor((100 * this.sent) / this.whole));

  async begin(file: File): Promise<void> {
    if (this.whole > 0) return;
    [this.name, this.sent, this.whole] = [file.name, 0, Math.max(file.size, 1)];
    await perform(UPLOAD, () => api.addBundle(file, (sent) => (this.sent = Math.min(sent, this.whole))));
    this.whole = 0;
  }
}

export const upload = new Upload();
