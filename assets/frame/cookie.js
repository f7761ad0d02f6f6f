// Keeps one value in a cookie of this host for a year. data: name, value (percent-encoded)

export default function ({ data }) {
  document.cookie = `${data.name}=${data.value}; path=/; max-age=31536000; samesite=strict`;
}
