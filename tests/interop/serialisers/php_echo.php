<?php
// Reads a document and writes it again, /assoc into arrays, /object into objects.
// Run as `php -S 127.0.0.1:PORT php_echo.php`. What it can't read or write is a 500 with its own words.

try {
    $assoc = $_SERVER['REQUEST_URI'] === '/assoc';
    $value = json_decode(file_get_contents('php://input'), $assoc, flags: JSON_THROW_ON_ERROR);
    $text = json_encode($value, JSON_THROW_ON_ERROR);
    header('Content-Type: application/json');
} catch (JsonException $error) {
    http_response_code(500);
    header('Content-Type: text/plain');
    $text = $error->getMessage();
}
echo $text;
