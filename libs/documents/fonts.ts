/** The fonts a document may use: those that come with Longhaul (all under the SIL Open Font Licence 1.1), and an operator's. */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';

interface Font {
  readonly family: string;
  readonly files: readonly string[];
}

/**
 * In the order in which a letter is looked for. Regular and bold only: where one more weight was asked for, a font of
 * the same family that the machine happens to have could be nearer, and the file another.
 */
const FONTS: readonly Font[] = [
  font('Noto Sans', 'noto-sans', 'NotoSans'),
  // Its letters are whole, so that a reader can copy and search them; what it lacks, Noto has.
  font('Almarai', 'almarai', 'Almarai'),
  font('Noto Sans Arabic', 'noto-sans-arabic', 'NotoSansArabic'),
  font('Noto Sans Hebrew', 'noto-sans-hebrew', 'NotoSansHebrew'),
  font('BIZ UDGothic', 'biz-udgothic', 'BIZUDGothic'),
];

/** Where a letter is looked for: an operator's own fonts decide where two would do, but for Latin, Greek and Cyrillic. */
export function familiesWith(own: readonly string[]): string[] {
  const [first, ...others] = FONTS.map(({ family }) => family);
  return [first ?? '', ...own, ...others];
}

/** The folders to read them from. */
export function fontFolders(): string[] {
  const { resolve } = createRequire(import.meta.url);
  return FONTS.flatMap(({ files }) => files.map((file) => dirname(resolve(file))));
}

function font(family: string, name: string, file: string): Font {
  const path = `@expo-google-fonts/${name}`;
  return {
    family,
    files: [`${path}/400Regular/${file}_400Regular.ttf`, `${path}/700Bold/${file}_700Bold.ttf`],
  };
}
