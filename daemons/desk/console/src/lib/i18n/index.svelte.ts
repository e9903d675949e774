// The two languages. Chinese is the default; the choice is remembered at the workplace.

import { en } from './en';
import { zh } from './zh';

export type Key = keyof typeof zh;
export type Language = 'zh' | 'en';

const CHOICE = 'onepress-language';
const TEXTS: Record<Language, Record<Key, string>> = { zh, en };

class Languages {
  now = $state<Language>(localStorage.getItem(CHOICE) === 'en' ? 'en' : 'zh');

  choose(language: Language): void {
    this.now = language;
    localStorage.setItem(CHOICE, language);
    this.mark();
  }

  /** Tells the browser, for fonts, hyphens and screen readers. */
  mark(): void {
    document.documentElement.lang = this.now === 'zh' ? 'zh-CN' : 'en';
  }
}

export const language = new Languages();

/** The text of `key`, with `{name}` filled in. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return TEXTS[language.now][key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** The text for a word of the interface, or the word itself when it is newer than this console. */
export function word(group: string, value: string): string {
  const texts: Record<string, string> = TEXTS[language.now];
  return texts[`${group}.${value}`] ?? value;
}
