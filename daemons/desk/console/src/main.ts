import { mount } from 'svelte';
import App from './App.svelte';
import './app.css';
import { language } from './lib/i18n/index.svelte';
import { expose } from './lib/sound.svelte';

const root = document.getElementById('app');
if (root === null) throw new Error('index.html has no #app');
language.mark();
expose();
mount(App, { target: root });
