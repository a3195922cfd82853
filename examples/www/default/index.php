<?php

/**
 * The page of an address: which one it is, who asks, and another one to visit.
 *
 * The web server hands over both ends of the connection, SERVER_ADDR and REMOTE_ADDR. Nothing that
 * the visitor wrote gets into the page: Accept and User-Agent only choose between HTML and text.
 */

declare(strict_types=1);

const DRAWS = 8; // how many random addresses are drawn before there is said to be none

/** Escape a text for HTML, between tags and in quoted attributes. */
function escaped(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML5, 'UTF-8');
}

/** The 16 bytes of an IPv6 address, or null where the text is none. */
function packed(string $text): ?string
{
    $bytes = @inet_pton($text);
    return $bytes !== false && strlen($bytes) === 16 ? $bytes : null;
}

/** The length of the served prefix: the web server's PREFIX_LENGTH, else 64. */
function prefixLength(): int
{
    $range = ['options' => ['min_range' => 1, 'max_range' => 127, 'default' => 64]];
    return filter_var($_SERVER['PREFIX_LENGTH'] ?? '', FILTER_VALIDATE_INT, $range);
}

/** 16 bytes whose first bits, as many as $length, are set. */
function mask(int $length): string
{
    $digits = str_split(str_pad(str_repeat('1', $length), 128, '0'), 8);
    return implode('', array_map(fn(string $byte): string => chr(bindec($byte)), $digits));
}

/** The prefix that an address is in: 2001:db8::/64. */
function prefix(string $address, int $length): string
{
    return inet_ntop($address & mask($length)) . "/$length";
}

/** A random address of the same prefix, but not this one and not the first; null if none is drawn. */
function another(string $address, int $length): ?string
{
    $first = $address & mask($length);
    for ($draw = 0; $draw < DRAWS; $draw++) {
        $drawn = $first | (random_bytes(16) & ~mask($length));
        if ($drawn !== $address && $drawn !== $first) {
            return $drawn;
        }
    }
    return null;
}

/** The URL of the root at an address, by the scheme and the port of this request. */
function url(string $address): string
{
    $secure = !in_array($_SERVER['HTTPS'] ?? '', ['', 'off'], true);
    $port = (int) ($_SERVER['SERVER_PORT'] ?? 80);
    $colon = $port === ($secure ? 443 : 80) ? '' : ":$port";
    return ($secure ? 'https' : 'http') . '://[' . inet_ntop($address) . "]$colon/";
}

/** The 32 hexadecimal digits of an address in groups of four, which colons separate. */
function full(string $address): string
{
    return implode(':', str_split(bin2hex($address), 4));
}

/** The name of its PTR record. */
function reverseName(string $address): string
{
    return implode('.', str_split(strrev(bin2hex($address)))) . '.ip6.arpa';
}

/** The colour of an address: a hue in degrees. */
function hue(string $address): int
{
    return crc32($address) % 360;
}

/** The full form as HTML, with the digits of the prefix told from the others. */
function fullMarkup(string $address, int $length): string
{
    $digits = intdiv($length, 4);
    $end = $digits + intdiv(max($digits - 1, 0), 4);
    $text = full($address);
    return '<span class="prefix">' . substr($text, 0, $end) . '</span>' . substr($text, $end);
}

/** The 128 bits of an address as a drawing, a group of 16 in each row. */
function face(string $address, int $length): string
{
    $cells = '';
    for ($bit = 0; $bit < 128; $bit++) {
        $set = ord($address[$bit >> 3]) >> (7 - $bit % 8) & 1;
        $kind = ($bit < $length ? 'prefix' : 'identifier') . ($set ? ' one' : ' zero');
        $x = $bit % 16 * 22 + ($bit % 16 >> 2) * 8;
        $cells .= '<rect class="' . $kind . '" x="' . $x . '" y="' . ($bit >> 4) * 22 . '"/>';
    }
    $label = escaped('The bits of ' . inet_ntop($address));
    return "<svg viewBox=\"-14 -14 398 200\" role=\"img\" aria-label=\"$label\">$cells</svg>";
}

/** What there is to show of an end of the connection, as HTML: $class has its colour. */
function card(string $class, string $title, string $what, string $text, int $length): string
{
    $heading = '<h2>' . escaped($title) . ' <small>' . escaped($what) . '</small></h2>';
    $address = packed($text);
    if ($address === null) {
        return "<section class=\"$class\">$heading<p><code>" . escaped($text) . '</code></p></section>';
    }
    return "<section class=\"$class\">$heading" . face($address, $length)
        . '<dl><dt>Address</dt><dd>' . escaped(inet_ntop($address)) . '</dd>'
        . '<dt>Full form</dt><dd>' . fullMarkup($address, $length) . '</dd>'
        . '<dt>Reverse name</dt><dd class="long">' . reverseName($address) . '</dd></dl></section>';
}

/** Whether text is wanted: Accept names it and not HTML, or it is curl that asks for nothing special. */
function textIsWanted(string $accept, string $agent): bool
{
    if (stripos($accept, 'text/html') !== false) {
        return false;
    }
    return stripos($accept, 'text/plain') !== false || strncmp($agent, 'curl/', 5) === 0;
}

/** The answer as text, for a terminal. */
function textPage(string $local, string $peer, string $prefix, ?string $url, string $software): string
{
    $lines = ['This server' => $local, 'You, the visitor' => $peer, 'Served prefix' => $prefix,
        'Random address' => $url ?? 'none', 'Web server' => $software];
    $text = '';
    foreach ($lines as $name => $value) {
        $text .= str_pad($name, 18) . $value . "\n";
    }
    return $text;
}

/** Send the headers of the answer, all but the length. A browser is to show it and do nothing else. */
function sendHeaders(string $type, string $style): void
{
    $hash = base64_encode(hash('sha256', $style, true));
    header("Content-Type: $type; charset=utf-8");
    header("Content-Security-Policy: default-src 'none'; style-src 'sha256-$hash'; "
        . "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    header('X-Content-Type-Options: nosniff');
    header('Referrer-Policy: no-referrer');
    header('Cache-Control: no-store');
    header('Vary: Accept, User-Agent');
}

/** The stylesheet, with the colours of both addresses. */
function stylesheet(int $serverHue, int $visitorHue): string
{
    $rules = <<<'CSS'
* { box-sizing: border-box; margin: 0; }
:root {
  color-scheme: light dark; --paper: 97%; --card: 100%; --line: 88%; --ink: 14%; --quiet: 38%;
  --accent: 30%; --one: 46%; --zero: 90%; --dim-one: 58%; --dim-zero: 92%;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: 8%; --card: 12%; --line: 22%; --ink: 93%; --quiet: 68%;
    --accent: 76%; --one: 64%; --zero: 21%; --dim-one: 50%; --dim-zero: 18%;
  }
}
body {
  background: hsl(var(--hue) 20% var(--paper)); color: hsl(var(--hue) 12% var(--ink));
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main { max-width: 70rem; margin: 0 auto; padding: clamp(1.5rem, 6vw, 4rem) clamp(1rem, 4vw, 2.5rem); }
h1, dd, code { font-family: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
h1 { margin: .2rem 0 .9rem; font-size: clamp(1.4rem, 4.2vw, 2.9rem); line-height: 1.2; letter-spacing: -.02em; }
h1, .long, dd { color: hsl(var(--hue) 75% var(--accent)); }
h2 { margin-bottom: 1rem; font-size: 1.15rem; }
h2 small, .eyebrow, .target, dt, footer, .prefix { color: hsl(var(--hue) 8% var(--quiet)); }
h2 small { margin-left: .4em; font-size: .9rem; font-weight: 400; }
.lead { max-width: 42rem; font-size: 1.1rem; }
sup { font-size: .7em; line-height: 0; }
.go { display: flex; flex-wrap: wrap; align-items: center; gap: .75rem 1.25rem; margin-top: 1.6rem; }
.go a {
  padding: .8rem 1.5rem; border-radius: .6rem; font-weight: 650; text-decoration: none;
  background: hsl(var(--hue) 75% var(--accent)); color: hsl(var(--hue) 20% var(--paper));
}
.go a:hover { background: hsl(var(--hue) 12% var(--ink)); }
a:focus-visible { outline: 3px solid hsl(var(--hue) 70% var(--one)); outline-offset: 3px; }
.target { font-size: .9rem; }
.ends { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.5rem; margin-top: clamp(2rem, 5vw, 3rem); }
section {
  padding: clamp(1rem, 3vw, 1.75rem); border-radius: 1rem;
  border: 1px solid hsl(var(--hue) 12% var(--line)); background: hsl(var(--hue) 20% var(--card));
}
svg { display: block; width: 100%; height: auto; margin-bottom: 1.25rem; border-radius: .75rem; background: hsl(var(--hue) 25% var(--paper)); }
rect { width: 18px; height: 18px; rx: 4px; }
.prefix.one { fill: hsl(var(--hue) 6% var(--dim-one)); }
.prefix.zero { fill: hsl(var(--hue) 8% var(--dim-zero)); }
.identifier.one { fill: hsl(var(--hue) 70% var(--one)); }
.identifier.zero { fill: hsl(var(--hue) 45% var(--zero)); }
dt { margin-top: .8rem; font-size: .875rem; }
dd { margin: 0; font-size: clamp(.75rem, 3.4vw, 1rem); }
dd.long { font-size: .8rem; }
footer { margin-top: 1.5rem; font-size: .9rem; }
CSS;
    return "body, .server { --hue: $serverHue; } .visitor { --hue: $visitorHue; }\n$rules\n";
}

$local = $_SERVER['SERVER_ADDR'] ?? '';
$peer = $_SERVER['REMOTE_ADDR'] ?? '';
$software = strtok($_SERVER['SERVER_SOFTWARE'] ?? 'a web server', '/') . ' and PHP';
$address = packed($local);
$visitor = packed($peer);
$length = prefixLength();
$prefix = $address === null ? 'none' : prefix($address, $length);
$other = $address === null ? null : another($address, $length);
$url = $other === null ? null : url($other);

if (textIsWanted($_SERVER['HTTP_ACCEPT'] ?? '', $_SERVER['HTTP_USER_AGENT'] ?? '')) {
    sendHeaders('text/plain', '');
    echo textPage($local, $peer, $prefix, $url, $software);
    exit;
}

$style = stylesheet($address === null ? 210 : hue($address), $visitor === null ? 210 : hue($visitor));
sendHeaders('text/html', $style);
?>
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title><?= escaped($local) ?></title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex, nofollow">
<style><?= $style ?></style>
</head>
<body>
<main>
<p class="eyebrow">You have reached</p>
<h1><?= escaped($local) ?></h1>
<?php if ($address !== null) { ?>
<p class="lead">It is one of the 2<sup><?= 128 - $length ?></sup> addresses of <code><?= escaped($prefix) ?></code>. prefix64 answers for them on the link; <?= escaped($software) ?> made this page, by the address that you connected to.</p>
<?php } ?>
<?php if ($url !== null) { ?>
<p class="go"><a href="<?= escaped($url) ?>" rel="nofollow">Visit a random address &rarr;</a> <code class="target"><?= escaped($url) ?></code></p>
<?php } ?>
<div class="ends">
<?= card('server', 'This server', 'SERVER_ADDR', $local, $length), "\n" ?>
<?= card('visitor', 'You, the visitor', 'REMOTE_ADDR', $peer, 64), "\n" ?>
</div>
<?php if ($address !== null) { ?>
<footer>
<p>As text: <code>curl -g '<?= escaped(url($address)) ?>'</code></p>
</footer>
<?php } ?>
</main>
</body>
</html>
