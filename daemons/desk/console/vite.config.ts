import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: 'es2022',
    // The desk's content security policy allows no data: outside pictures.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  // The desk serves the interface; its view.rs is read by a test.
  server: { proxy: { '/api': 'http://127.0.0.1:8080' }, fs: { allow: ['.', '../src'] } },
  test: { include: ['tests/**/*.test.ts'] },
});
